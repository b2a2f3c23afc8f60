"""What keeps a worker's lanes from claiming workloads that are paused."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from app.errors import Unavailable
from app.tasks.pauses import Pauses
from workers.lane import Lane

log = logging.getLogger(__name__)


class PauseWatch:
    """Looks every so many seconds, and at once on a signal: one that is lost costs no more than the time to the next look."""

    def __init__(self, pauses: Pauses, lanes: Sequence[Lane], *, every: float) -> None:
        self._pauses = pauses
        self._lanes = lanes
        self._every = every
        self._soon = asyncio.Event()
        self._paused: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.debug("no look for paused workloads: %s", error)  # what is known stands meanwhile
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._soon.wait()
            self._soon.clear()

    async def look(self) -> None:
        """Tell the lanes what is paused now. Raises `Unavailable`."""
        paused = frozenset(await self._pauses.read())
        if paused != self._paused:
            log.info("paused: %s", ", ".join(sorted(paused)) or "nothing")
        self._paused = paused
        for lane in self._lanes:
            lane.pause(paused)

    async def heed(self, _: dict[str, Any]) -> None:
        """Somebody says that there is news."""
        self._soon.set()
