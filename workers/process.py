"""A child process in a session of its own, whose number stays its own until everything that it started is gone."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from workers import family

log = logging.getLogger(__name__)

_NICER: Final = 10  # the worker's loop, and the web process beside it, come first
_GONE_WITHIN: Final = 5.0  # seconds; a process that the kernel holds may take longer, and is left to it then
_APART: Final = 0.005  # seconds between two looks


class Process:
    """Started by exec. A dead process is collected late, by `collect` alone: until then nobody else can have its number, and killing its group is safe.

    `mark` is a variable, `NAME=value`, of its environment, by which whatever descends from it is found. `freed` is called just before its number may become
    another's.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        mark: str,
        freed: Callable[[int], None],
        *,
        pass_fd: int,
    ) -> None:
        """Start it. Raises `OSError` where the system refuses."""
        name, _, value = mark.partition("=")
        self._popen = subprocess.Popen(
            command,
            pass_fds=(pass_fd,),
            env={**environ, name: value},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._popen.pid
        _let_others_go_first(self.pid)
        self._mark = mark.encode()
        self._freed = freed
        self._root = family.member(self.pid)
        self._dead = asyncio.Event()
        self._collected = False
        self._holding = threading.Lock()  # its number
        # A thread, since asyncio's own ways of waiting collect the process at once.
        waiting = threading.Thread(
            target=self._wait, args=(asyncio.get_running_loop(),), name=f"process {self.pid}", daemon=True
        )
        waiting.start()

    @property
    def output(self) -> IO[bytes]:
        """What it prints, on both streams."""
        assert self._popen.stdout is not None  # noqa: S101  a pipe was asked for
        return self._popen.stdout

    @property
    def dead(self) -> bool:
        """Whether it has ended, as far as the loop has heard."""
        return self._dead.is_set()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        with self._holding, contextlib.suppress(ProcessLookupError):
            if not self._collected:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL it and everything that it started. Any thread."""
        with self._holding:
            if self._collected:
                return
            self._signal_group(signal.SIGSTOP)
            # Looked for before: once it is dead, those that have left its group are no longer its descendants.
            started = family.held_still(lambda: family.family(self.pid))
            self._signal_group(signal.SIGKILL)
        family.send(started, signal.SIGKILL)

    async def collect(self) -> int:
        """Wait for its end, and kill what it has left. Its exit status, or minus the signal; for the second caller too."""
        await self._dead.wait()
        if not self._collected:
            await asyncio.to_thread(self._end_the_rest)
        with self._holding:
            if not self._collected:
                self._freed(self.pid)
                self._collected = True
            return self._popen.wait()

    def _end_the_rest(self) -> None:
        self._signal_group(signal.SIGKILL)
        root = self._root
        if root is None:
            return
        until = time.monotonic() + _GONE_WITHIN
        while left := family.held_still(lambda: family.left_behind(root, self._mark)):
            family.send(left, signal.SIGKILL)
            if time.monotonic() > until:
                log.error("processes that a task has started do not end: %s", ", ".join(str(one.pid) for one in left))
                return
            time.sleep(_APART)

    def _signal_group(self, number: signal.Signals) -> None:
        """Only for a process that has not been collected."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._dead.set)


def _let_others_go_first(pid: int) -> None:
    # From here, so that it counts while the child imports what it needs, too.
    with contextlib.suppress(OSError):  # it has ended, or a sandbox forbids it
        nice = min(os.getpriority(os.PRIO_PROCESS, 0) + _NICER, 19)
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        # Where the kernel shares the processors out by session, as it does on most Linux desktops and servers, that counts only within the child's own.
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
