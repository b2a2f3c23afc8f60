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
    """A lane in one worker: its capacity, and whether hints reach it."""

    @property
    def free(self) -> int:
        """Slots that no task holds now."""

    async def wait_free(self) -> None:
        """Return once `free` is above 0, at once where it is."""

    async def wait_full(self) -> None:
        """Return once `free` is 0, at once where it is."""

    def connected(self, yes: bool, /) -> None:
        """From now on hints reach this worker, or they do not: then it has to look for work by itself, and often."""


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

        A call that has not returned when no slot was free for 0.1 s is cancelled, and its message goes to somebody
        else: none is kept for as long as a task takes. Outlives the broker's absence and restarts, and tells `slots`
        when it is connected and when no longer. Cancelling lets running calls of `wake` end, for up to 5 s; one that
        takes longer is cancelled. It returns within 15 s, whatever the broker does.
        """

    async def depth(self, lane: str) -> int:
        """Messages of `lane` that wait at the broker, each of 1 to 16 hints. Raises `Unavailable`."""

    async def ping(self) -> None:
        """Return when the broker answers and takes messages, as far as is known; raise `Unavailable` within 3 s when not."""
