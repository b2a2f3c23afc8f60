"""Workloads that take more than their share, each within bounds of its own, so that a limit that fails does not take the machine along."""

import ctypes
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from taskline import Context, workload

MIB = 1024 * 1024
LONGEST = 30.0  # seconds that a process lives, if nobody ends it


def _wait() -> None:
    time.sleep(LONGEST)


@workload(processes=8, timeout=60)
def forks(how: str = "fork", most: int = 40) -> None:
    """Starts processes that start processes."""
    made = Path("made")
    made.mkdir()
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and len(os.listdir(made)) < most:  # noqa: PTH208
        if os.fork() == 0 and how == "leave":
            os.setsid()
        (made / str(os.getpid())).touch()
        if how == "slow":
            time.sleep(0.005)
    _wait()


@workload(memory_mib=96, timeout=60)
def hogs(how: str = "steps", most_mib: int = 200) -> str:
    """Takes memory."""
    match how:
        case "at once":
            return str(len(bytearray(1 << 50)))
        case "forked":
            # Each for itself stays within the limit.
            for _ in range(3):
                if os.fork() == 0:
                    _fill(most_mib // 4)
            _wait()
        case "steps":
            _fill(most_mib)
    return "had all that"


def _fill(mib: int) -> None:
    held = []
    for _ in range(mib):
        held.append(b"x" * MIB)
        time.sleep(0.002)
    _wait()


@workload(disk_mib=16, timeout=60)
def fills(ctx: Context, how: str = "files", most_mib: int = 64) -> str:
    """Fills the disk."""
    chunk = os.urandom(MIB)
    match how:
        case "one file":
            with (ctx.folder / "one").open("wb") as file:
                for _ in range(most_mib):
                    file.write(chunk)
        case "files":
            for number in range(most_mib):
                (ctx.folder / str(number)).write_bytes(chunk)
        case "removed":
            held = [tempfile.TemporaryFile() for _ in range(most_mib)]  # noqa: SIM115
            for removed in held:
                removed.write(chunk)
        case "elsewhere":
            subprocess.run([sys.executable, "-c", FILLER, str(most_mib)], check=False)
        case "empty":
            for number in range(most_mib * 256):
                (ctx.folder / str(number)).touch()
    if how != "one file":
        _wait()
    return "wrote all that"


FILLER = """
import sys, tempfile
for _ in range(int(sys.argv[1])):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(bytes(1 << 20))
"""


@workload(cpu=0.5, timeout=60)
def spins() -> None:
    """Computes for ever, and lets others help."""
    os.fork()
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        pass


@workload(timeout=60)
def loops(ctx: Context, how: str = "python") -> None:
    """Computes for long, in Python or deaf to everything in C."""
    ctx.progress(0.0, "computing")
    if how == "deaf":
        sum(itertools.repeat(1, 2_000_000_000))
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        pass


@workload(timeout=60, retries=0)
def leaves(ctx: Context, how: str) -> str:
    """Ends, in one way or another, and leaves something behind: processes that have left its session, or a busy thread."""
    if how == "thread":
        threading.Thread(target=loops.function, args=(ctx,), daemon=True).start()
        return "ended"
    command = [sys.executable, "-c", f"import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep({LONGEST})"]
    subprocess.run(command, check=True)
    program = subprocess.Popen(["sleep", str(LONGEST)], start_new_session=True)
    print("left", program.pid)
    match how:
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "closed":
            Path("closed", "inside").mkdir(parents=True)
            Path("closed").chmod(0)
    return "ended"


@workload(timeout=60)
def small(number: int) -> int:
    """What everybody else does."""
    return number * 2
