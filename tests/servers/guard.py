"""Run one server and make sure that nothing of it outlives the process that asked for it.

    guard.py FOLDER USER COMMAND...     (USER "-" keeps the present one)

Standard input is a pipe that the asking process holds: when that process ends, however it ends, the pipe closes, and the
guard kills the server with everything that it ever started, and removes FOLDER. When the server ends by itself or is
stopped, the guard kills what it left behind and keeps FOLDER. A program of its own, of the standard library alone.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Become the parent of descendants that detach themselves, as Erlang's epmd does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def kill_children() -> None:
    """Kill and reap every child, and those that come to be children because their parent was killed."""
    mine = Path(f"/proc/self/task/{os.getpid()}/children")
    while children := mine.read_text().split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        os.waitpid(-1, 0)


def main(folder: str, user: str, *command: str) -> None:
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
        abandoned = ended not in ready
    finally:
        kill_children()
    if abandoned:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
