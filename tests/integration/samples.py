"""Workloads that behave in every way that a worker has to bear."""

import asyncio
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from taskline import Accept, Cancelled, Context, Fail, File, Rejected, RetryLater, workload

SHORT = timedelta(seconds=0.3)


class NoHeader(Rejected):
    """This file has no header."""


class Unshowable(Exception):
    def __init__(self, one: object, two: object) -> None:  # cannot be made again from its text
        super().__init__(one, two)
        self.lock = threading.Lock()  # cannot be pickled either

    def __str__(self) -> str:
        raise ValueError("no text")


@workload
def measure(
    ctx: Context, file: Annotated[File, Accept(".txt")], label: str | None = None
) -> dict[str, int | str | None]:
    """Count the bytes of a file, and offer what was found."""
    content = file.open().read()
    ctx.log("counting")
    print("printed", file.name)
    print("to the other stream", file=sys.stderr)
    for _ in ctx.track(range(3), "part"):
        ctx.sleep(0.15)
    ctx.table("sizes", [{"name": file.name, "bytes": len(content)}])
    made = ctx.folder / "made.txt"
    made.write_text("made")
    ctx.artifact("made.txt", made)
    ctx.artifact("bytes.bin", b"\x00\x01")
    return {"bytes": len(content), "label": label}


@workload
def bad_input() -> None:
    """Its input is never right."""
    raise NoHeader(hint="Export it with a header line.")


@workload
def fails() -> None:
    """Fails for good."""
    raise Fail("It is over", hint="Try something else.")


@workload
def later(after: float | None = None) -> None:
    """Cannot be done now."""
    raise RetryLater("Not now", after=after)


@workload(retry_on=("ConnectionError", "json.JSONDecodeError"))
def raises(kind: str) -> None:
    """Raises what it is told to."""
    match kind:
        case "connection":
            raise ConnectionResetError("the other end is gone")
        case "value":
            raise ValueError("two is not three")
        case "unshowable":
            raise Unshowable(1, 2)
        case "exit":
            sys.exit(3)
        case "memory":
            raise MemoryError
        case "unclear":
            raise Fail("It is over", hint=3)  # type: ignore[arg-type]
        case "json":
            import json

            json.loads("{")


@workload
def dies(how: str) -> None:
    """Takes its process with it."""
    print("last words")
    match how:
        case "segfault":
            ctypes.string_at(0)
        case "os._exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)


@workload
async def dies_on_loop(how: str) -> None:
    """Takes its process with it, be it the worker's."""
    if how == "os._exit":
        os._exit(7)
    os.kill(os.getpid(), signal.SIGKILL)


@workload
def babbles() -> None:
    """Writes nonsense on every descriptor that it finds."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b'{"type": "succeeded"}\n')
        except OSError:
            continue
    time.sleep(60)


@workload(timeout=SHORT)
def overdue(how: str = "sleep") -> str:
    """Never ends by itself."""
    match how:
        case "sleep":
            time.sleep(600)
        case "swallow":
            while True:
                try:
                    time.sleep(0.01)
                except Exception:  # noqa: BLE001
                    continue
        case "swallow all":
            while True:
                try:
                    time.sleep(0.01)
                except BaseException:  # noqa: BLE001
                    continue
        case "deaf":
            # For ever in C, with the interpreter's lock held and no look at signals.
            sum(itertools.repeat(1))
        case "catch":
            try:
                time.sleep(600)
            except Cancelled:
                return "caught"
    return "ended"


@workload
def patient(ctx: Context, pid_file: str | None = None) -> str:
    """Waits until it is told to end, and cleans up then."""
    try:
        if pid_file is not None:
            started = [subprocess.Popen(["sleep", "600"], start_new_session=new) for new in (False, True)]
            Path(pid_file).write_text(" ".join(str(pid) for pid in (os.getpid(), *(one.pid for one in started))))
        ctx.progress(0.5, "waiting")
        ctx.sleep(600)
    finally:
        ctx.log("cleaned up")
    return "ended"


@workload(secrets=("SAMPLE_TOKEN",))
def secretive(ctx: Context) -> dict[str, str]:
    """Tells what it knows."""
    return {
        "token": ctx.secret("SAMPLE_TOKEN"),
        "environ": " ".join(sorted(os.environ)),
        "pid": str(os.getpid()),
        "cwd": os.getcwd(),  # noqa: PTH109
        "temporary": tempfile.gettempdir(),
    }


@workload
def who() -> str:
    """Tells its process."""
    return str(os.getpid())


@workload(mode="thread", timeout=SHORT)
def in_thread(ctx: Context, how: str = "return") -> str:
    """Runs in a thread."""
    match how:
        case "sleep":
            ctx.sleep(600)
        case "spin":
            while True:
                time.sleep(0.001)
        case "report":
            for _ in ctx.track(range(2000), "step"):
                pass
    return "ended"


@workload(timeout=SHORT)
async def on_loop(ctx: Context, how: str = "return") -> str:
    """Runs on the loop."""
    match how:
        case "sleep":
            try:
                ctx.progress(0.5, "waiting")
                await asyncio.sleep(600)
            finally:
                await asyncio.sleep(0.05)
                ctx.log("cleaned up")
        case "swallow":
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                await asyncio.sleep(600)  # until the loop itself is closed
        case "exit":
            sys.exit(4)
        case "block":
            ctx.sleep(1)
        case "raise":
            raise ValueError("two is not three")
    return "ended"


@workload(mode="thread")
def stubborn(ctx: Context, until: str) -> str:
    """Goes on until there is a file, whatever it is told."""
    while True:
        try:
            ctx.progress(0.5, "waiting")
            while not Path(until).exists():
                time.sleep(0.01)
            return "ended"  # noqa: TRY300  what strikes on the way here is caught too
        except BaseException:  # noqa: BLE001
            continue


@workload(mode="thread")
def makes(ctx: Context) -> str:
    """Makes two files."""
    ctx.artifact("one.txt", b"first")
    ctx.artifact("two.txt", b"second")
    return "made"


@workload
async def tells(ctx: Context) -> dict[str, int]:
    """Tells its process, from another coroutine."""
    return {"pid": await asyncio.create_task(_pid())}


async def _pid() -> int:
    await asyncio.sleep(0)
    return os.getpid()


calm_thread = workload(name="calm_thread", mode="thread")(in_thread.function)
calm_loop = workload(name="calm_loop")(on_loop.function)


@workload(version=3)
async def grown(seconds: Annotated[int, Field(ge=0)]) -> int:
    """Has changed twice."""
    return seconds


@grown.upgrade(2)
def _minutes(params: dict[str, int]) -> dict[str, int]:
    return {"seconds": params["minutes"] * 60}


@workload
def half_said(ctx: Context) -> list[str]:
    """Report names of files that are not UTF-8, as `os.listdir` gives them, and more that makes no sense."""
    (ctx.folder / "half\udc80").write_text("made")
    ctx.log("log \udc80\0", level="warn")  # type: ignore[arg-type]
    ctx.progress(0.1, "now \udc80")
    ctx.progress(0.2, "soon \udc80")  # sent by another thread of the process
    ctx.sleep(0.3)
    ctx.step(1, "2")  # type: ignore[arg-type]
    ctx.progress(0.3, "at once")
    ctx.progress(0.4, "the last")
    ctx.sleep(0.3)
    ctx.metric("metric \udc80", "value \udc80")
    ctx.artifact("made.txt", ctx.folder / "half\udc80", "text/\udc80")
    return ["returned \udc80\0"]


@workload
async def half_raised() -> None:
    """Fail with the name of a file that is not UTF-8."""
    raise OSError("cannot open half\udc80")


@workload(version=2)
async def renamed(file: File) -> str:
    """Has called its file otherwise."""
    return file.path.read_text()


@renamed.upgrade(1)
def _file(params: dict[str, str]) -> dict[str, str]:
    (file,) = params.values()
    return {"file": file}


@workload
async def unclear() -> None:
    """Ask for another try at no time."""
    raise RetryLater("Not now", after="soon")  # type: ignore[arg-type]


unclear_thread = workload(name="unclear_thread", mode="thread")(raises.function)
