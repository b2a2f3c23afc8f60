"""Ends an attempt in time: at its time limit or when somebody asks. First the work hears of it, after a short grace it is killed."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal, Self

from workers.assignment import Stop

GRACE: Final = 1.0  # seconds between the interrupt and the kill

Reason = Literal["cancel", "timeout", "withdraw", "abandon"]


class Watch:
    """Watches one attempt, in a `with` block. `interrupt` is called once, and then `kill`, which may be called again.

    `reason` is why the attempt was asked to end: the first reason stays, but withdrawn work that goes on until its time limit has run out of time. What a
    function returned before it was asked counts; afterwards it does not. `deadly`: `kill` surely ends the work; otherwise it leaves it behind, which
    withdrawn work never is before its time limit.
    """

    def __init__(
        self,
        stop: Stop,
        seconds: float,
        *,
        interrupt: Callable[[], None],
        kill: Callable[[], None],
        deadly: bool = False,
        grace: float = GRACE,
    ) -> None:
        self.reason: Reason | None = None
        self._stop = stop
        self._seconds = seconds
        self._grace = grace
        self._interrupt = interrupt
        self._kill = kill
        self._deadly = deadly
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
        self._stop_timer()

    def _asked(self) -> None:
        if self._stop.reason is not None and not self._ended:
            self._end(self._stop.reason)

    def _end(self, reason: Reason) -> None:
        first = self.reason is None
        if first or (self.reason == "withdraw" and reason == "timeout"):
            self.reason = reason
        if first:
            self._interrupt()
        if reason == "abandon" or (reason == "withdraw" and self._deadly) or (reason == "timeout" and not first):
            self._stop_timer()
            self._kill()
        elif first and reason != "withdraw":
            self._stop_timer()
            self._timer = self._loop.call_later(self._grace, self._kill)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
