"""The sweeper: what hints and leases have missed. Tasks that fell due go back to the broker, tasks of dead workers go back to the queue."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from app.db import NOW, Database
from app.errors import Unavailable
from app.queues import TaskQueue
from app.tasks.model import Event
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.pauses import unless
from workers.lane import Lane

log = logging.getLogger(__name__)

STALE: Final = timedelta(seconds=1)  # a task that is due for longer has lost its hint, or never had one
MOST_HINTS: Final = 1_000  # in one sweep of a lane
NOBODY: Final = UUID(int=0)  # the hint that only asks whether the broker takes hints
LONGEST_BREAK: Final = (
    0.4  # of a lease; the living, who beat three times a lease, survive a shorter one without losing a claim
)
LOOKS: Final = 5  # at least, in one lease


class Sweeper:
    """One runs in every worker; they do not get in each other's way. `held` gives the tokens of the claims that this worker runs: it never reaps those.

    `lease` and `every` are seconds: how long a claim holds without a heartbeat, and how often to sweep.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Collection[UUID]],
        lanes: Sequence[Lane],
        db: Database,
        moves: Moves,
        queue: TaskQueue,
        outbox: Outbox,
        lease: float,
        every: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = held
        self._lanes = lanes
        self._db = db
        self._moves = moves
        self._queue = queue
        self._outbox = outbox
        self._lease = lease
        self._every = every
        self._contact = Contact(LONGEST_BREAK * lease, clock)

    async def run(self) -> None:
        """Sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeat(min(self._every, self._lease / LOOKS), self.reap))
            for lane in self._lanes:  # apart, so that a broker that is slow to answer for one holds up no other
                group.create_task(_repeat(self._every, partial(self.top_up, lane)))

    async def top_up(self, lane: Lane) -> int:
        """Send hints for tasks that are due and may have none; returns how many. Where hints wait at the broker, more would wake nobody sooner.

        This worker looks for itself at once. While the broker takes no hints it goes on doing so, and the broker is tried with one hint a sweep.
        """
        if waits := bool(await self._due(lane, 1)):
            lane.ring()
        if not lane.hints_taken:
            await self._hint(lane, [NOBODY])
        elif waits and await self._no_hint_waits(lane):
            due = await self._due(lane, MOST_HINTS)
            if await self._hint(lane, due):
                return len(due)
        return 0

    async def reap(self) -> Sequence[Event]:
        """Take over tasks whose leases have ended; but only after a whole lease of unbroken contact, else a frozen database would make the living look dead."""
        now = await self._db.now()
        self._contact.good()
        if not self._contact.unbroken_for(self._lease):
            return ()
        events = await self._moves.reap(self._held(), at=now)
        self._outbox.committed(events)
        if events:
            log.warning("%d tasks were taken from workers that no longer answer", len(events))
        return events

    async def _no_hint_waits(self, lane: Lane) -> bool:
        try:
            return await self._queue.depth(lane.name) == 0
        except Unavailable:
            lane.taken(False)
            return False

    async def _hint(self, lane: Lane, tasks: Sequence[UUID]) -> bool:
        try:
            await self._queue.wake(lane.name, tasks)
        except Unavailable:
            lane.taken(False)
        else:
            lane.taken(True)
        return lane.hints_taken

    async def _due(self, lane: Lane, most: int) -> list[UUID]:
        # What was due when it was accepted had its hint then; what was to wait, for its time or for a retry, has had none.
        # Orders that the indexes have, so that no plan reads more than it gives. What is paused needs no hints: they would wake workers for nothing.
        unpaused, names = unless(lane.paused)
        sql = f"""SELECT id FROM (SELECT id FROM tasks WHERE state = 'queued' AND lane = :lane AND run_at <= created_at AND run_at <= :stale{unpaused}
          ORDER BY priority DESC, rank, id LIMIT :most) n
        UNION ALL SELECT id FROM (SELECT id FROM tasks WHERE state = 'queued' AND lane = :lane AND run_at > created_at AND run_at <= {NOW}{unpaused}
          ORDER BY run_at LIMIT :most) w
        LIMIT :most"""
        values = {"lane": lane.name, "stale": await self._db.now() - STALE, "most": most, **names}
        rows = await self._db.fetch_all(sql, values)
        return [UUID(str(row["id"])) for row in rows]


async def _repeat(seconds: float, sweep: Callable[[], Awaitable[object]]) -> None:
    """Every so many seconds or a little more often, so that the sweeps of many workers do not come at once."""
    while True:
        try:
            await sweep()
        except Unavailable as error:
            log.debug("sweep put off: %s", error)
        await asyncio.sleep(random.uniform(0.5, 1) * seconds)


class Contact:
    """How long the database has answered without a break, which is a silence of more than `longest` seconds."""

    def __init__(self, longest: float, clock: Callable[[], float]) -> None:
        self._longest = longest
        self._clock = clock
        self._since = self._last = clock()

    def good(self) -> None:
        """It answered a moment ago. An answer that took long to come counts as a break."""
        now = self._clock()
        if now - self._last > self._longest:
            self._since = now
        self._last = now

    def unbroken_for(self, seconds: float) -> bool:
        """Whether there was no break for so long, up to now."""
        now = self._clock()
        return now - self._last <= self._longest and now - self._since >= seconds
