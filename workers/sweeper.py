"""The sweeper: what hints and leases have missed. Tasks that fell due go back to the broker, tasks of dead workers go back to the queue."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.db import Database
from app.errors import Unavailable
from app.queues import TaskQueue
from app.tasks.model import LEASE, Event
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox

log = logging.getLogger(__name__)

TOP_UP_EVERY: Final = 1.0  # seconds
REAP_EVERY: Final = 10.0  # seconds
STALE: Final = timedelta(seconds=1)  # a task that is due for longer has lost its hint, or never had one
MOST_HINTS: Final = 1_000  # in one sweep of a lane


class Sweeper:
    """One runs in every worker; they do not get in each other's way. `held` gives the tokens of the claims that this worker runs: it never reaps those."""

    def __init__(
        self,
        *,
        held: Callable[[], Collection[UUID]],
        lanes: Sequence[str],
        db: Database,
        moves: Moves,
        queue: TaskQueue,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = held
        self._lanes = lanes
        self._db = db
        self._moves = moves
        self._queue = queue
        self._outbox = outbox
        self._clock = clock
        self._contact: Contact = Contact(clock)

    async def run(self) -> None:
        """Sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(TOP_UP_EVERY, self.top_up))
            group.create_task(self._every(REAP_EVERY, self.reap))

    async def top_up(self) -> int:
        """Send hints for tasks that are due and may have none; returns how many. Where hints wait at the broker, more would wake nobody sooner."""
        sent = 0
        for lane in self._lanes:
            if (due := await self._due(lane)) and await self._queue.depth(lane) == 0:
                await self._queue.wake(lane, due)
                sent += len(due)
        return sent

    async def reap(self) -> Sequence[Event]:
        """Take over tasks whose leases have ended; but only after a whole lease of unbroken contact, else a frozen database would make the living look dead."""
        if not self._contact.unbroken_for(LEASE):
            return ()
        events = await self._moves.reap(self._held())
        self._outbox.committed(events)
        if events:
            log.warning("%d tasks were taken from workers that no longer answer", len(events))
        return events

    async def _due(self, lane: str) -> list[UUID]:
        # What was due when it was accepted had its hint then; what was to wait, for its time or for a retry, has had none.
        sql = """SELECT id FROM tasks WHERE state = 'queued' AND lane = :lane
        AND (run_at <= :stale OR (run_at <= :now AND run_at > created_at)) ORDER BY priority DESC, rank, id LIMIT :most"""
        now = datetime.now(UTC)
        values = {"lane": lane, "now": now, "stale": now - STALE, "most": MOST_HINTS}
        rows = await self._db.fetch_all(sql, values)
        self._contact.good()
        return [UUID(str(row["id"])) for row in rows]

    async def _every(self, seconds: float, sweep: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await sweep()
            except Unavailable as error:
                log.debug("sweep put off: %s", error)
            await asyncio.sleep(seconds)


class Contact:
    """How long the database has answered without a break."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = self._last = clock()

    def good(self) -> None:
        """It answered a moment ago. An answer that took long to come counts as a break."""
        now = self._clock()
        if now - self._last > REAP_EVERY:
            self._since = now
        self._last = now

    def unbroken_for(self, seconds: float) -> bool:
        """Whether there was no break for so long, up to now."""
        now = self._clock()
        return now - self._last <= REAP_EVERY and now - self._since >= seconds
