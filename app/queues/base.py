"""What a queue is: wake-up calls. A message says that there is work in a lane, the database's rows say which."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID


class Wake(Protocol):
    """What a consumer calls for each message; several calls may run at once."""

    async def __call__(self, hints: int, /) -> None:
        """Claim up to `hints` due tasks, or fewer where fewer slots are free.

        Returns once the message need not come again: the claim has committed, or there was nothing to claim. A worker
        that filled its last slot remembers that there may be more. Raising hands the message back to the broker.
        """


class Slots(Protocol):
    """A lane's capacity in one worker."""

    @property
    def free(self) -> int:
        """Slots that no task holds now."""

    async def wait_free(self) -> None:
        """Return once `free` is above 0, at once where it is."""

    async def wait_full(self) -> None:
        """Return once `free` is 0, at once where it is."""


class TaskQueue(Protocol):
    """Wake-up calls of one deployment. An object belongs to one event loop, from `open` to `close`."""

    async def open(self) -> None:
        """Get ready. A broker that does not answer is no error: it is tried again until the queue is closed."""

    async def close(self) -> None:
        """Let go of the broker within 8 s, whatever state it is in. Closing twice is fine; opening again is not."""

    async def wake(self, lane: str, tasks: Sequence[UUID]) -> None:
        """Say that `tasks` wait in `lane`; returns once the broker has stored it.

        Raises `Unavailable` where that is not certain: within 5 s, and at once while the broker is known to be away.
        Some of the hints may have got through, which does no harm. Where 10,000 messages wait already, one more or
        less is not stored.
        """

    async def consume(self, lane: str, wake: Wake, slots: Slots) -> None:
        """Call `wake` for each message of `lane` while slots are free, until cancelled.

        Outlives the broker's absence and restarts, and calls `wake(1)` when the broker is lost and when it is back, so
        that the worker looks for itself. Cancelling lets running calls of `wake` end, for up to 5 s; a call that takes
        longer is cancelled, its message goes to somebody else. It returns within 15 s, whatever the broker does.
        """

    async def depth(self, lane: str) -> int:
        """Messages of `lane` that wait at the broker, each of 1 to 16 hints. Raises `Unavailable`."""

    async def ping(self) -> None:
        """Return when the broker answers, raise `Unavailable` within 3 s when not."""
