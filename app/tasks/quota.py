"""How many tasks a user may have waiting: counted in the database now and then, and here in between, so that a submit costs no query of its own."""

import time
from collections.abc import Callable
from typing import Final

from app.errors import TooMany
from app.tasks.store import TaskStore

FRESH: Final = 2.0  # seconds that a count is believed, plus what this process accepted since
FRESH_FAR: Final = 30.0  # seconds that one is believed that was less than half of what is allowed
KNOWN: Final = 10_000  # users remembered
RETRY_AFTER: Final = 10.0  # seconds


class Quota:
    """`most` waiting tasks a user. Several web processes may together let more through for a while."""

    def __init__(self, store: TaskStore, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._most = most
        self._clock = clock
        self._counts: dict[int, tuple[float, int]] = {}
        self.full = f"You have {most:,} tasks waiting, the most at once."
        self.remedy = "Cancel some, or wait until some have started."

    async def take(self, user_id: int) -> None:
        """Count one more. Raises `TooMany`."""
        counted_at, waiting = await self._counted(user_id)
        self._counts[user_id] = counted_at, waiting + 1
        if waiting >= self._most:
            raise TooMany(self.full, hint=self.remedy, retry_after=RETRY_AFTER)

    async def is_full(self, user_id: int) -> bool:
        """Whether one more would be refused. Counts nothing."""
        self._counts[user_id] = counted = await self._counted(user_id)
        return counted[1] >= self._most

    async def _counted(self, user_id: int) -> tuple[float, int]:
        counted_at, waiting = self._counts.get(user_id, (float("-inf"), 0))
        if self._clock() - counted_at > (FRESH_FAR if 2 * waiting < self._most else FRESH):
            counted_at, waiting = self._clock(), await self._store.waiting(user_id, self._most)
            if len(self._counts) >= KNOWN:
                del self._counts[next(iter(self._counts))]
        return counted_at, waiting
