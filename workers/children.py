"""The parent's side of process workloads: warm child processes, each for one workload, that can be interrupted and killed."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, cast

from pydantic import ValidationError

from workers.deaths import Death
from workers.environment import clean_environment
from workers.guard import Guard
from workers.prints import Prints
from workers.wire import INTERRUPT, LONGEST_LINE, Ending, FromChild, Log, Progress, Succeeded, Unsuccessful, Work

MOST_TASKS: Final = 100  # a child serves: then a new one takes over, so that leaks end
_MOST_IDLE_MIB: Final = 256.0  # one that holds more makes way for a fresh one
_START_SECONDS: Final = 30.0


class Child:
    """A running child process. `target` is the workload that it has served, or None."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        lines: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        prints: Prints,
    ) -> None:
        self.pid = process.pid
        self.target: str | None = None
        self.served = 0
        self._killed = False  # by this worker
        self._process = process
        self._lines = lines
        self._writer = writer
        self._prints = prints

    @classmethod
    async def start(cls, environ: Mapping[str, str]) -> "Child":
        """Start one by exec, and wait until it can work: that counts on nobody's time limit. Raises `OSError` where the system refuses."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "workers.child", str(theirs.fileno()), str(os.getpid())),
                pass_fds=(theirs.fileno(),),
                env=clean_environment(environ),
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        lines, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        child = cls(process, lines, writer, Prints(cast("asyncio.StreamReader", process.stdout)))
        try:
            async with asyncio.timeout(_START_SECONDS):
                if not await lines.readline():
                    raise ChildProcessError("it ended before it could work")
        except BaseException:
            await child.close()
            raise
        return child

    @property
    def usable(self) -> bool:
        """Whether it may serve once more."""
        return (
            self._process.returncode is None and self.served < MOST_TASKS and _resident_mib(self.pid) < _MOST_IDLE_MIB
        )

    async def run(
        self,
        work: Work,
        *,
        on_progress: Callable[[float | None, str], None],
        on_log: Callable[[Log], None],
        on_print: Callable[[str], None],
    ) -> Ending | Death:
        """Let it do `work`. A child that dies, or says what it should not, ends the work and itself."""
        self.target = work.target
        self.served += 1
        self._prints.begin(on_print, str(work.claim))
        try:
            self._writer.write(work.model_dump_json().encode() + b"\n")
            await self._writer.drain()
            while True:
                match FromChild.validate_json(await self._line()):
                    case Progress(fraction=fraction, message=message):
                        on_progress(fraction, message)
                    case Log() as said:
                        on_log(said)
                    case (Succeeded() | Unsuccessful()) as ending:
                        return ending
        except (EOFError, ConnectionError):
            return await self._died()
        except (ValidationError, ValueError) as error:
            self.kill()
            await self._died()
            return Unsuccessful(
                kind="failed",
                message="The process running this task sent what is not understood",
                hint="The workload, or a library that it uses, writes to files that it has not opened.",
                trace=str(error)[:2_000],
            )

    async def printed(self) -> None:
        """Until all that the ended work printed was heard, or is not going to be."""
        await self._prints.end()

    def interrupt(self) -> None:
        """Raise `Cancelled` in its work."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(INTERRUPT)

    def kill(self) -> None:
        """End it at once, with every program that it started in its session. Any thread."""
        self._killed = True
        # After the child itself is gone its group may live on, and no other process can have its number while it does.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Kill it, and wait until it is gone."""
        self.kill()
        await self._process.wait()
        self._writer.close()
        self._prints.reading.cancel()

    async def _line(self) -> bytes:
        line = await self._lines.readline()
        if not line:
            raise EOFError
        return line

    async def _died(self) -> Death:
        return Death(await self._process.wait(), ours=self._killed)


class Children:
    """Starts children, keeps up to `warm` of them idle, and kills them. One loop; `kill_all` from any thread."""

    def __init__(self, *, warm: int, environ: Mapping[str, str]) -> None:
        self._warm = warm
        self._environ = environ
        self._idle: list[Child] = []
        self._alive: set[Child] = set()
        self._changing = threading.Lock()  # what is alive
        self._guard = Guard()
        self._ending: set[asyncio.Task[None]] = set()

    async def open(self, *, warm: bool) -> None:
        """Start the warm ones, where they are wanted at once."""
        self._guard.open()
        if warm:
            self._idle = list(await asyncio.gather(*(self._start() for _ in range(self._warm))))

    async def close(self) -> None:
        """Kill every child and wait until all are gone."""
        self._idle.clear()
        await asyncio.gather(*(self._end(child) for child in list(self._alive)), *self._ending)
        self._guard.close()

    async def take(self, target: str) -> Child:
        """A child for this workload: one that has served it, else a fresh one. Raises `OSError` where none can be started."""
        # Never one that has served another workload: it may hold what that one was trusted with.
        for wanted in (target, None):
            for child in self._idle:
                if child.target == wanted and child.usable:
                    self._idle.remove(child)
                    return child
        return await self._start()

    def give_back(self, child: Child, *, healthy: bool) -> None:
        """Keep it warm where it is healthy; the one that was idle longest makes room."""
        if healthy and child.usable:
            self._idle.append(child)
            if len(self._idle) > self._warm:
                self._retire(self._idle.pop(0))
        else:
            self._retire(child)

    def kill_all(self) -> None:
        """SIGKILL every child that works, now. Any thread; the loop need not turn."""
        with self._changing:
            working = self._alive.difference(self._idle)
        for child in working:
            child.kill()

    def _retire(self, child: Child) -> None:
        child.kill()
        ending = asyncio.create_task(self._end(child))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _start(self) -> Child:
        child = await Child.start(self._environ)
        with self._changing:
            self._alive.add(child)
        self._guard.tell(child.pid for child in self._alive)
        return child

    async def _end(self, child: Child) -> None:
        await child.close()
        with self._changing:
            self._alive.discard(child)
        self._guard.tell(child.pid for child in self._alive)


def _resident_mib(pid: int) -> float:
    """The memory that a process holds, in MiB; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2
    except (OSError, IndexError):
        return 0.0
