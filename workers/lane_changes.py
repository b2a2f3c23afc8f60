"""Tasks that wait in a lane in which nobody takes their workload any more: its author has made it lighter or heavier meanwhile."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from app.db import Database
from app.errors import Unavailable

log = logging.getLogger(__name__)

EVERY: Final = (
    10.0  # seconds: a submit may bear what a web process knew two seconds ago, a retry what was when it started
)
MOST: Final = 1_000  # tasks in one statement


class LaneChanges:
    """`lanes`: in which lane this worker takes each workload, by all its names."""

    def __init__(self, db: Database, lanes: Mapping[str, str]) -> None:
        self._db = db
        self._lanes = lanes

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.follow()
            except Unavailable as error:
                log.debug("no look for changed lanes: %s", error)
            await asyncio.sleep(EVERY)

    def learn(self, lanes: Mapping[str, str]) -> None:
        """Workloads have changed."""
        self._lanes = lanes

    async def follow(self) -> int:
        """Put what waits elsewhere into the lanes of its workloads; returns how many tasks."""
        moved = 0
        for lane in sorted(set(self._lanes.values())):
            while found := await self._move(lane):
                moved += found
        if moved:
            log.info("%d tasks wait in another lane now: their workloads have changed", moved)
        return moved

    async def _move(self, lane: str) -> int:
        names = {f"n{at}": name for at, (name, where) in enumerate(self._lanes.items()) if where == lane}
        elsewhere = f"state = 'queued' AND lane <> :lane AND workload IN ({', '.join(f':{key}' for key in names)})"
        values = {"lane": lane, **names}
        if await self._db.fetch_val(f"SELECT 1 FROM tasks WHERE {elsewhere} LIMIT 1", values) is None:
            return 0  # as nearly always: a read holds up no writer
        locked = "FOR UPDATE SKIP LOCKED" if self._db.dialect == "postgresql" else ""
        sql = f"""UPDATE tasks SET lane = :lane WHERE state = 'queued' AND id IN (
          SELECT id FROM tasks WHERE {elsewhere} ORDER BY id LIMIT {MOST} {locked}) RETURNING id"""
        return len(await self._db.fetch_all(sql, values))
