"""Where a task runs in a test: it hears the reports, and makes the worker die or the owner cancel at the one that the test names."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from taskline.blocks import Cuts
from taskline.errors import Cancelled
from taskline.gathering import Gathered
from taskline.results import AnyBlock
from taskline.testing.clock import Clock
from taskline.testing.run import Run

GRACE: Final = 1.0  # seconds between being asked to end and being killed, as in a worker

Reason = Literal["cancel", "timeout"]


class Killed(BaseException):
    """What runs on in the thread of a dead worker ends, once the test is over."""


class Host:
    """Implements `taskline.context.Host` for one attempt. `on_loop`: of an `async def`, which must not block."""

    def __init__(
        self,
        run: Run,
        clock: Clock,
        folder: Path,
        *,
        limit: float,
        on_loop: bool,
        crash_at: int | None,
        cancel_at: int | None,
    ) -> None:
        self.reason: Reason | None = None  # why it was asked to end
        self.on_ask: Callable[[], object] | None = None  # of a coroutine; anything else is interrupted where it reports
        self.on_death: Callable[[], object] | None = None  # called from the thread that stands still then
        self.dead = threading.Event()
        self.released = threading.Event()
        self._run = run
        self._clock = clock
        self._folder = folder
        self._deadline = clock.now + limit
        self._on_loop = on_loop
        self._crash_at = crash_at
        self._cancel_at = cancel_at
        self._asked_at = 0.0

    def report(self) -> None:
        """Something is reported."""
        self._go_on()
        self._run.reports += 1
        if self._run.reports == self._crash_at:
            self._die()
        if self._run.reports == self._cancel_at:
            self._run.told.append("task.cancelling")
            self.ask("cancel")

    def ask(self, reason: Reason) -> None:
        """Ask the work to end: raises `Cancelled` in it, or cancels its coroutine."""
        self.reason = reason
        self._asked_at = time.monotonic()
        if self.on_ask is None:
            raise Cancelled
        self.on_ask()

    def progress(self, fraction: float | None, message: str) -> None:
        """Keep it; what comes after the work was asked to end is not heard."""
        self.report()
        if self.reason is None:
            self._run.progress.append((fraction, message))

    def log(self, level: str, text: str) -> None:  # noqa: ARG002  the signature is the protocol's
        """Keep the line."""
        self.report()
        self._run.log.append(text)

    def printed(self, line: str) -> None:
        """Keep what was printed; that is no report."""
        if not self.dead.is_set():
            self._run.log.append(line)

    def folder(self) -> Path:
        """The attempt's own."""
        return self._folder

    def cancelled(self) -> bool:
        """Whether the work was asked to end."""
        self._go_on()
        return self.reason is not None

    def sleep(self, seconds: float) -> None:
        """Time passes, up to the time limit."""
        self._go_on()
        if self.reason is not None:
            raise Cancelled
        if self._on_loop:
            raise RuntimeError("ctx.sleep would block the loop: in an `async def`, use `await asyncio.sleep(…)`")
        self._clock.advance(min(seconds, self.remaining()))
        if self.remaining() <= 0:
            self.ask("timeout")

    def remaining(self) -> float:
        """Seconds until the time limit."""
        return self._deadline - self._clock.now

    def _go_on(self) -> None:
        if self.dead.is_set() or (self.reason is not None and time.monotonic() - self._asked_at > GRACE):
            raise Killed

    def _die(self) -> None:
        # As a killed process, it stands still: no `finally` runs and no `except` catches anything before the test is over.
        self.dead.set()
        if self.on_death is not None:
            self.on_death()
        self.released.wait()
        raise Killed


class Counted(Gathered):
    """What a task shows; each part of it is a report, and what makes no sense raises."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.folder, _raise)
        self._host = host

    def _add(self, make: Callable[[Cuts], AnyBlock]) -> None:
        self._host.report()
        super()._add(make)


def _raise(problem: Exception | str) -> None:
    raise problem if isinstance(problem, Exception) else ValueError(problem)
