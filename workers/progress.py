"""Progress of a running attempt: at most five frames a second to its followers, the newest kept in the database once a second."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from app.events.model import Frame
from app.tasks.document import progress_frame
from app.tasks.model import Claim, Mark
from workers.log_book import plain

APART: Final = 0.2  # seconds between two frames of a task
LONGEST_MESSAGE: Final = 200  # characters


class Progress:
    """Implements `workers.assignment.Reports` for one attempt. Called in the loop. `holds`: whether the claim surely does."""

    def __init__(self, claim: Claim, tell: Callable[[Sequence[Frame]], None], holds: Callable[[], bool]) -> None:
        self._claim = claim
        self._tell = tell
        self._holds = holds
        self._loop = asyncio.get_running_loop()
        self._fraction: float | None = None
        self._message = ""
        self._told_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._unmarked = False
        self._ended = False

    def progress(self, fraction: float | None, message: str) -> None:
        """The newest state; what lies between two frames is dropped."""
        if self._ended:
            return
        self._fraction, self._message = fraction, plain(message[:LONGEST_MESSAGE])
        self._unmarked = True
        if self._timer is None:
            self._timer = self._loop.call_at(max(self._loop.time(), self._told_at + APART), self._send)

    def end(self) -> None:
        """Nothing is told after this: a frame of progress must not follow the task's end."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def mark(self) -> Mark | None:
        """What is to be kept, if it changed since the last call."""
        if not self._unmarked or self._ended:
            return None
        self._unmarked = False
        return Mark(self._claim.id, self._claim.token, self._fraction, self._message)

    def _send(self) -> None:
        self._timer, self._told_at = None, self._loop.time()
        if not self._holds():  # a worker that was frozen tells nobody how far it is: another one may be at it
            return
        self._tell(
            [progress_frame(self._claim.user_id, self._claim.id, self._claim.attempt, self._fraction, self._message)]
        )
