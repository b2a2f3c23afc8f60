"""Run one server and make sure that nothing of it outlives the process that asked for it.

    guard.py FOLDER USER PATIENCE COMMAND...     (USER "-" keeps the present one)

Standard input is a pipe that the asking process holds: when that process ends, however it ends, the pipe closes, and the
guard kills the server with everything that it ever started, and removes FOLDER. When the server ends by itself or is
stopped, what it left behind has PATIENCE seconds to end too; the guard writes the rest into FOLDER/left-behind, kills it, and
keeps FOLDER. A program of its own, of the standard library alone.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MINE = Path(f"/proc/self/task/{os.getpid()}/children")


def adopt_orphans() -> None:
    """Become the parent of descendants that detach themselves, as Erlang's epmd does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def kill_children() -> None:
    """Kill and reap every child, and those that come to be children because their parent was killed."""
    while children := MINE.read_text().split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        os.waitpid(-1, 0)


def note_children(folder: Path, patience: float) -> None:
    """Reap children for so many seconds; write down those that still live then, with their commands."""
    if patience <= 0:
        return
    deadline = time.monotonic() + patience
    while children := MINE.read_text().split():
        if time.monotonic() > deadline:
            with (folder / "left-behind").open("a") as noted:
                for child in children:
                    command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    noted.write(f"{child} {command.strip()}\n")
            return
        if os.waitpid(-1, os.WNOHANG) == (0, 0):
            time.sleep(0.02)


def main(folder: str, user: str, patience: str, *command: str) -> None:
    adopt_orphans()

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, end)
    try:
        if user == "-":
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        else:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, user=user, group="nogroup", extra_groups=[])
        ended = os.pidfd_open(server.pid)
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready:
            server.wait()
            note_children(Path(folder), float(patience))
            ready, _, _ = select.select([0], [], [], 0)
        abandoned = 0 in ready
    finally:
        kill_children()
    if abandoned:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
