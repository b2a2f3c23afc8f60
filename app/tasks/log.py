"""The log of events: what a websocket replays. Written by the moves, read here; implements `app.events.Log`."""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

import orjson

from app.db import Database, Row
from app.events.model import Frame, OutOfRange, Position, Snapshot, Standing
from app.tasks.document import card, to_frame
from app.tasks.rows import CARD_COLUMNS, event_of, task_of

SHOWN_AFTER_RESET: Final = 50  # tasks
STORED: Final = "(SELECT value FROM meta WHERE key = 'epoch')"
# What makes a database of PostgreSQL another one, though its rows are the same: another cluster, a recovery to an earlier point, a database or a table that a
# restore has made anew. A path of the log's file begins with the time line, also where a failover has written no checkpoint yet.
HISTORY: Final = {
    "sqlite": STORED,
    "postgresql": f"""(SELECT concat_ws(' ', {STORED}, (SELECT system_identifier FROM pg_control_system()),
      CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
      (SELECT oid FROM pg_database WHERE datname = current_database()), to_regclass('events')::oid))""",
}
ORIGIN: Final = {"sqlite": "NULL", "postgresql": "to_regclass('events')::oid"}  # `Event.origin`


class TaskLog:
    """Reads over either database. Each answer comes from one snapshot, and so does the epoch that it belongs to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._history, self._origin = HISTORY[db.dialect], ORIGIN[db.dialect]

    async def since(self, user_id: int, after: int, limit: int, epoch: str | None = None) -> list[Frame]:
        """The events with `seq` over `after`, in order, at most `limit`.

        Raises `OutOfRange` where `after` was pruned or lies ahead of the log, or where the log is not of `epoch`.
        """
        found, frames = await self.page(user_id, after, limit)
        if epoch not in (None, found):
            raise OutOfRange
        return frames

    async def page(self, user_id: int, after: int | None, limit: int) -> tuple[str, list[Frame]]:
        """The epoch, and the events after `after`, at most `limit`; None: from the oldest that is kept. Raises `OutOfRange`."""
        sql = f"""SELECT {self._history} AS history, s.seq AS head, s.floor, e.user_id, e.seq, e.at, e.type, e.task_id, e.task FROM streams s LEFT JOIN
        (SELECT * FROM events WHERE user_id = :user AND seq > coalesce(CAST(:after AS bigint), 0) ORDER BY seq LIMIT :limit) e ON true
        WHERE s.user_id = :user ORDER BY e.seq"""
        rows = await self._db.fetch_all(sql, {"user": user_id, "after": after, "limit": limit})
        if not rows:
            raise OutOfRange
        floor, head = rows[0]["floor"], rows[0]["head"]
        start = floor if after is None else after
        there = rows[0]["seq"] is not None
        if not floor <= start <= head or (there and rows[0]["seq"] != start + 1):
            raise OutOfRange
        return _epoch(rows[0]), [to_frame(event_of(row)) for row in rows] if there else []

    async def of_task(self, user_id: int, task_id: UUID) -> list[Frame]:
        """Everything that happened to one task of the user."""
        sql = "SELECT user_id, seq, at, type, task_id, task FROM events WHERE task_id = :task AND user_id = :user ORDER BY seq"
        return [to_frame(event_of(row)) for row in await self._db.fetch_all(sql, {"task": task_id, "user": user_id})]

    async def position(self, user_id: int) -> Position:
        """Where the user's log stands."""
        standing = await self.standing([user_id])
        return Position(standing.epoch, standing.heads.get(user_id, 0))

    async def standing(self, user_ids: Sequence[int]) -> Standing:
        """Which history this is, and where several logs stand, in one statement."""
        ids = ",".join(str(int(user)) for user in user_ids)
        rows = await self._db.fetch_all(
            f"SELECT {self._history} AS history, {self._origin} AS origin, s.user_id, s.seq FROM (SELECT 1) one LEFT JOIN streams s ON s.user_id IN ({ids or 'NULL'})"
        )
        heads = {row["user_id"]: row["seq"] for row in rows if row["user_id"] is not None}
        return Standing(_epoch(rows[0]), rows[0]["origin"], heads)

    async def epoch(self) -> str:
        """Which history this is: changes when the database is restored or replaced, so that nobody resumes in another one."""
        return (await self.standing(())).epoch

    async def begin_epoch(self) -> None:
        """The rows came from a backup: whoever has heard of what it does not hold starts anew."""
        await self._db.execute("UPDATE meta SET value = :value WHERE key = 'epoch'", {"value": str(uuid4())})

    async def snapshot(self, user_id: int) -> Snapshot:
        """What a client needs that cannot resume: the position, and its active and newest tasks."""
        sql = f"""SELECT {CARD_COLUMNS} FROM tasks WHERE user_id = :user AND (state IN ('queued', 'running')
        OR id IN (SELECT id FROM tasks WHERE user_id = :user ORDER BY id DESC LIMIT :newest)) ORDER BY id DESC LIMIT :most"""
        async with self._db.snapshot():
            position = await self.position(user_id)
            rows = await self._db.fetch_all(
                sql, {"user": user_id, "newest": SHOWN_AFTER_RESET, "most": 4 * SHOWN_AFTER_RESET}
            )
        return Snapshot(position.epoch, position.seq, [orjson.dumps(card(task_of(row))).decode() for row in rows])


def _epoch(row: Row) -> str:
    return hashlib.sha256(str(row["history"]).encode()).hexdigest()[:16]
