"""Time in tests: it passes only where somebody waits for it, and then at once."""

import asyncio
import concurrent.futures
import selectors
import time
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Clock:
    """Seconds since the task was accepted."""

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += max(0.0, seconds)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock: when nothing is left to do but wait, it is later.

    While a socket, a process or a thread is under way, real time passes: nobody knows how long those take.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads = 0
        super().__init__(_Selector(clock, lambda: self._threads > 0))

    def time(self) -> float:
        """The virtual time."""
        return self._clock.now

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As usual; it is known how many run."""
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._threads -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: Clock, threads_run: Callable[[], bool]) -> None:
        super().__init__()
        self._clock = clock
        self._threads_run = threads_run

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The loop's own line to itself is always there; what is beside it comes from outside.
        real = self._threads_run() or len(self.get_map()) > 1
        if real or timeout is None or timeout <= 0:
            began = time.monotonic()
            ready = super().select(timeout)
            self._clock.advance(time.monotonic() - began)
            return ready
        if not (ready := super().select(0)):
            self._clock.advance(timeout)
        return ready
