"""Ends an attempt in time: at its time limit or when somebody asks. First the work hears of it, after a short grace it is killed."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal, Self

from workers.assignment import Stop

GRACE: Final = 1.5  # seconds between the interrupt and the kill

Reason = Literal["cancel", "timeout", "abandon"]


class Watch:
    """Watches one attempt, in a `with` block. `interrupt` is called once at most, `kill` once at most and never before it unless the attempt is abandoned.

    `reason` is why the attempt was asked to end: the first reason stays. What a function returned before it was asked counts; afterwards it does not.
    """

    def __init__(
        self,
        stop: Stop,
        seconds: float,
        *,
        interrupt: Callable[[], None],
        kill: Callable[[], None],
        grace: float = GRACE,
    ) -> None:
        self.reason: Reason | None = None
        self._stop = stop
        self._seconds = seconds
        self._grace = grace
        self._interrupt = interrupt
        self._kill = kill
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self._seconds, self._end, "timeout")
        self._stop.on_change(self._asked)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The work has ended: whatever comes now comes too late."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _asked(self) -> None:
        if self._stop.reason is not None and not self._ended:
            self._end(self._stop.reason)

    def _end(self, reason: Reason) -> None:
        first, self.reason = self.reason is None, self.reason or reason
        if self._timer is not None and (first or reason == "abandon"):
            self._timer.cancel()
            self._timer = None if reason == "abandon" else self._loop.call_later(self._grace, self._kill)
        if first:
            self._interrupt()
        if reason == "abandon":
            self._kill()
