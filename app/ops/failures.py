"""Failed tasks of everybody by what they failed of, and starting those of one cause again. What was started again since is no longer among them."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from app.db import Database, among, moment
from app.errors import NotFound, Refused
from app.tasks.commands import Tasks
from app.tasks.states import ENDS_SQL

log = logging.getLogger(__name__)

KEPT: Final = timedelta(days=7)
LOOKED_AT: Final = 5_000  # failures, the last ones
MOST_GROUPS: Final = 50
MOST_RETRIED: Final = 500  # tasks by one press of the button
PIECE: Final = 50  # tasks at once

_LAST: Final = f"""SELECT task_id FROM (SELECT task_id, at FROM events WHERE {ENDS_SQL} AND type = 'task.failed' AND at >= :since
  ORDER BY at DESC LIMIT {LOOKED_AT}) failed"""
_OPEN: Final = "state = 'failed' AND NOT EXISTS (SELECT 1 FROM tasks again WHERE again.retry_of = tasks.id)"
_KIND: Final = "coalesce(error->>'kind', '')"
_MESSAGE: Final = "coalesce(error->>'message', '')"


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures that have a workload, a kind and a message in common."""

    workload: str
    kind: str
    message: str
    number: int
    last: datetime

    @property
    def key(self) -> str:
        """What an address calls it."""
        return hashlib.sha256(orjson.dumps([self.workload, self.kind, self.message])).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a press of the button: tasks that were started again, and those that could not be."""

    started: int
    refused: int


class Failures:
    """Of the last week, or as many as `LOOKED_AT`."""

    def __init__(self, db: Database, tasks: Tasks) -> None:
        self._db = db
        self._tasks = tasks
        self._failed = f"id {among(db.dialect, _LAST)} AND {_OPEN}"

    async def causes(self) -> list[Cause]:
        """The causes, the last one first; at most `MOST_GROUPS`. Raises `Unavailable`."""
        sql = f"""SELECT workload, {_KIND} AS kind, {_MESSAGE} AS message, count(*) AS number, max(finished_at) AS last
        FROM tasks WHERE {self._failed} GROUP BY 1, 2, 3 ORDER BY last DESC LIMIT {MOST_GROUPS}"""
        rows = await self._db.fetch_all(sql, {"since": await self._since()})
        return [Cause(row["workload"], row["kind"], row["message"], row["number"], moment(row["last"])) for row in rows]

    async def cause(self, key: str) -> Cause:
        """The one of this key. Raises `NotFound` where none of its tasks is left."""
        for one in await self.causes():
            if one.key == key:
                return one
        raise NotFound(
            "None of these failures is left: they were started again or deleted meanwhile.",
            hint="Look at the page again.",
        )

    async def retry(self, key: str) -> Retried:
        """Start the tasks of a cause again, each as its owner would, who hears of it as usual; up to `MOST_RETRIED`.

        However often it is asked for, and by how many, a task is started again once. Raises `NotFound`, `Unavailable`.
        """
        cause = await self.cause(key)
        # All of them first: what fails again meanwhile is another task, for another press.
        left = await self._all(cause)
        started = refused = 0
        while left and started < MOST_RETRIED:
            piece, left = left[:PIECE], left[PIECE:]
            said = await asyncio.gather(*(self._again(task_id, owner) for task_id, owner in piece))
            started += sum(said)
            refused += len(said) - sum(said)
        log.info("%d failed tasks of %s were started again, %d could not be", started, cause.workload, refused)
        return Retried(started, refused)

    async def _all(self, cause: Cause) -> list[tuple[UUID, int]]:
        sql = f"""SELECT id, user_id FROM tasks
        WHERE {self._failed} AND workload = :workload AND {_KIND} = :kind AND {_MESSAGE} = :message ORDER BY id"""
        values = {"workload": cause.workload, "kind": cause.kind, "message": cause.message}
        rows = await self._db.fetch_all(sql, {**values, "since": await self._since()})
        return [(UUID(str(row["id"])), row["user_id"]) for row in rows]

    async def _again(self, task_id: UUID, owner: int) -> bool:
        try:
            await self._tasks.retry(owner, task_id, key=f"operator-retry-{task_id}")
        except (Refused, NotFound) as error:  # its workload or a file is gone, or its owner has too much waiting
            log.info("task %s was not started again: %s", task_id, error.reason)
            return False
        return True

    async def _since(self) -> datetime:
        return await self._db.now() - KEPT
