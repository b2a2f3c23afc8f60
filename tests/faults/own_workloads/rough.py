"""Workloads of the fault tests that do what work must not do: block, end their process, not heed a cancel, fail at once."""

import contextlib
import ctypes
import os
import time

from taskline import Cancelled, Context, RetryLater, workload


def _burn(seconds: float) -> None:
    """Keep a processor busy in Python, as a loop over numbers does."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        pass


@workload
async def blocking(ctx: Context, seconds: float = 60.0) -> str:
    """Work on the worker's own loop and never let go of it."""
    ctx.progress(None, "blocks")
    _burn(seconds)
    return "Let go."


@workload(mode="thread")
def burning(ctx: Context, seconds: float = 60.0) -> str:
    """Keep a thread of the worker busy."""
    ctx.progress(None, "burns")
    _burn(seconds)
    return "Burnt out."


@workload(mode="thread", retries=0)
def deaf(ctx: Context, seconds: float = 60.0) -> str:
    """Keep a thread of the worker for the whole time of the first attempt, whatever it is asked to do."""
    ends = time.monotonic() + (seconds if ctx.attempt == 1 else 0)
    ctx.progress(None, "is deaf")
    while (left := ends - time.monotonic()) > 0:
        with contextlib.suppress(Cancelled):
            time.sleep(min(0.05, left))
    return "Heard nothing."


@workload
def seizing(ctx: Context, seconds: float = 60.0) -> str:
    """Hold the interpreter's lock inside a library, so that no thread of the process gets on."""
    ctx.progress(None, f"process {os.getpid()}")
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
    return "Set free."


@workload
async def poison(ctx: Context) -> str:
    """End the process that runs it."""
    ctx.progress(None, f"process {os.getpid()}")
    os._exit(1)


@workload(retries=0)
def only_once(ctx: Context, seconds: float = 60.0) -> str:
    """Like `held`, but a failure is its end; offers a file that names the attempt."""
    began = time.monotonic()
    while ctx.attempt == 1 and (gone := time.monotonic() - began) < seconds:
        ctx.progress(gone / seconds, f"process {os.getpid()}")
        time.sleep(0.05)
    ctx.artifact("attempt.txt", f"attempt {ctx.attempt}".encode(), "text/plain")
    return "Once."


@workload
def reluctant(ctx: Context, seconds: float = 60.0) -> str:
    """Take a moment to heed a cancel."""
    ctx.progress(None, f"process {os.getpid()}")
    try:
        time.sleep(seconds)
    except Cancelled:
        time.sleep(0.5)
        raise
    return "Not cancelled."


@workload
async def unlucky() -> str:
    """Ask to be tried again, each time."""
    raise RetryLater("Not now.", after=0)
