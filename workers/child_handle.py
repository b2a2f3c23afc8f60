"""The parent's side of one child process: it starts it, gives it work, hears what it says, and can interrupt and kill it."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError

from workers import family
from workers.allowance import MIB, Breach
from workers.deaths import Death
from workers.environment import clean_environment
from workers.prints import Prints
from workers.process import Process
from workers.warden import Warden
from workers.wire import INTERRUPT, LONGEST_LINE, Ending, FromChild, Log, Progress, Succeeded, Unsuccessful, Work

MOST_TASKS: Final = 100  # a child serves: then a new one takes over as soon as there is one, so that leaks end
_MOST_IDLE_MIB: Final = 256.0  # one that holds more makes way for a fresh one
_START_SECONDS: Final = 30.0


class Child:
    """A running child process. `target` is the workload that it has served, or None."""

    def __init__(
        self,
        process: Process,
        lines: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        prints: Prints,
        warden: Warden,
    ) -> None:
        self.pid = process.pid
        self.target: str | None = None
        self.served = 0
        self.outdated = False  # it has loaded code that has changed since
        self._killed = False  # by this worker
        self._breach: Breach | None = None  # why, where the work has brought it about
        self._process = process
        self._lines = lines
        self._writer = writer
        self._prints = prints
        self._warden = warden

    @classmethod
    async def start(
        cls, environ: Mapping[str, str], mark: str, warden: Warden, freed: Callable[[int], None]
    ) -> "Child":
        """Start one by exec, and wait until it can work: that counts on nobody's time limit. Raises `OSError` where the system refuses.

        `mark` and `freed` are those of `Process`.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                command = (sys.executable, "-P", "-m", "workers.child", str(theirs.fileno()), str(os.getpid()))
                process = Process(command, clean_environment(environ), mark, freed, pass_fd=theirs.fileno())
            except BaseException:
                ours.close()
                raise
        lines, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        child = cls(process, lines, writer, Prints(process.output), warden)
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
        """Whether it may serve once more: nothing that it has started goes on, and it holds little memory."""
        if self._process.dead or self._killed or self.outdated:
            return False
        members = family.family(self.pid)
        return len(members) <= 1 and family.memory(members) < _MOST_IDLE_MIB * MIB

    @property
    def worn(self) -> bool:
        """Whether it has served for long enough."""
        return self.served >= MOST_TASKS

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time that it has used; 0 where the system does not say. Only for one that was not collected."""
        one = family.member(self.pid)
        return 0.0 if one is None else one.cpu_s

    async def run(
        self,
        work: Work,
        *,
        on_progress: Callable[[float | None, str], None],
        on_log: Callable[[Log], None],
        on_print: Callable[[str], None],
    ) -> Ending | Death:
        """Let it do `work`, within its allowance. A child that dies, or says what it should not, ends the work and itself."""
        self.target = work.target
        self.served += 1
        self._prints.begin(on_print, str(work.claim))
        charge = self._warden.watch(self.pid, work.allowance, work.folder, self._strike)
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
        finally:
            self._warden.release(charge)

    async def printed(self) -> None:
        """Until all that the ended work printed was heard, or is not going to be."""
        await self._prints.end()

    def interrupt(self) -> None:
        """Raise `Cancelled` in its work."""
        self._process.send(INTERRUPT)

    def kill(self) -> None:
        """End it at once, with everything that it started. Any thread."""
        self._killed = True
        self._process.kill()

    async def close(self) -> None:
        """Kill it, and wait until it and everything that it started is gone."""
        self.kill()
        self._writer.close()
        await self.gone()
        self._prints.close()

    async def gone(self) -> int:
        """Wait until it has ended, and nothing that it started is left. Its exit status, or minus the signal."""
        return await self._process.collect()

    def _strike(self, breach: Breach) -> None:
        self._breach = breach
        self.kill()

    async def _line(self) -> bytes:
        line = await self._lines.readline()
        if not line:
            raise EOFError
        return line

    async def _died(self) -> Death:
        status = await self.gone()
        return Death(status, ours=self._killed, breach=self._breach)
