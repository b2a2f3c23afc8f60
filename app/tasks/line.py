"""What waits and what runs in a lane, as estimates need it: read once a second and process, however many people look."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.db import NOW, Database, moment
from app.tasks.store import MOST_AHEAD

FRESH: Final = 1.0  # seconds that an answer is kept in this process
MOST_RUNNING: Final = 1_000


@dataclass(frozen=True, slots=True)
class Run:
    """A task that runs."""

    workload: str
    worker: UUID
    seconds: float  # so far, by the database's clock
    fraction: float | None = None  # how far it says it is


@dataclass(frozen=True, slots=True)
class Line:
    """`due`: workload and priority of each task that could start now, in the order in which workers take them, up to `MOST_AHEAD`."""

    due: tuple[tuple[str, int], ...]
    running: tuple[Run, ...]


class Lines:
    """The lines of all lanes."""

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[str, tuple[float, Line]] = {}

    async def of(self, lane: str) -> Line:
        """The line of one lane."""
        if (known := self._known.get(lane)) and self._clock() - known[0] <= FRESH:
            return known[1]
        line = Line(await self._due(lane), await self._running(lane))
        self._known[lane] = self._clock(), line
        return line

    async def _due(self, lane: str) -> tuple[tuple[str, int], ...]:
        queued = "SELECT workload, priority, rank, id FROM tasks WHERE state = 'queued' AND lane = :lane"
        # Each part is the beginning of an index.
        sql = f"""SELECT workload, priority FROM (
          SELECT * FROM ({queued} AND run_at <= created_at ORDER BY priority DESC, rank, id LIMIT :most) a
          UNION ALL SELECT * FROM ({queued} AND run_at > created_at AND run_at <= {NOW} ORDER BY run_at LIMIT :most) b) due
        ORDER BY priority DESC, rank, id LIMIT :most"""
        rows = await self._db.fetch_all(sql, {"lane": lane, "most": MOST_AHEAD})
        return tuple((row["workload"], row["priority"]) for row in rows)

    async def _running(self, lane: str) -> tuple[Run, ...]:
        sql = f"""SELECT workload, worker_id, started_at, progress, {NOW} AS now FROM tasks
        WHERE state = 'running' AND lane = :lane LIMIT :most"""
        rows = await self._db.fetch_all(sql, {"lane": lane, "most": MOST_RUNNING})
        return tuple(
            Run(
                row["workload"],
                UUID(str(row["worker_id"])),
                (moment(row["now"]) - moment(row["started_at"])).total_seconds(),
                row["progress"],
            )
            for row in rows
        )
