"""The log of events: what a websocket replays. Written by the moves, read here; implements `app.events.Log`."""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import orjson

from app.db import Database
from app.events.model import Frame, OutOfRange, Position, Snapshot
from app.tasks.document import card, to_frame
from app.tasks.rows import CARD_COLUMNS, event_of, task_of

SHOWN_AFTER_RESET: Final = 50  # tasks


class TaskLog:
    """Reads over either database. Each answer comes from one snapshot."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def since(self, user_id: int, after: int, limit: int) -> list[Frame]:
        """The events with `seq` over `after`, in order, at most `limit`. Raises `OutOfRange` where `after` was pruned or lies ahead of the log."""
        sql = """SELECT s.seq AS head, s.floor, e.user_id, e.seq, e.at, e.type, e.task_id, e.task
        FROM streams s LEFT JOIN events e ON e.user_id = s.user_id AND e.seq > :after WHERE s.user_id = :user ORDER BY e.seq LIMIT :limit"""
        rows = await self._db.fetch_all(sql, {"user": user_id, "after": after, "limit": limit})
        if not rows or not rows[0]["floor"] <= after <= rows[0]["head"]:
            raise OutOfRange
        if rows[0]["seq"] is None:
            return []
        if rows[0]["seq"] != after + 1:
            raise OutOfRange
        return [to_frame(event_of(row)) for row in rows]

    async def of_task(self, user_id: int, task_id: UUID) -> list[Frame]:
        """Everything that happened to one task of the user."""
        sql = "SELECT user_id, seq, at, type, task_id, task FROM events WHERE task_id = :task AND user_id = :user ORDER BY seq"
        return [to_frame(event_of(row)) for row in await self._db.fetch_all(sql, {"task": task_id, "user": user_id})]

    async def position(self, user_id: int) -> Position:
        """Where the user's log stands."""
        return Position(await self.epoch(), (await self.positions([user_id])).get(user_id, 0))

    async def positions(self, user_ids: Sequence[int]) -> dict[int, int]:
        """Where several logs stand, in one statement."""
        ids = ",".join(str(int(user)) for user in user_ids)
        rows = await self._db.fetch_all(f"SELECT user_id, seq FROM streams WHERE user_id IN ({ids or 'NULL'})")
        return {row["user_id"]: row["seq"] for row in rows}

    async def epoch(self) -> str:
        """Which history this is: changes when the database is restored or replaced, so that nobody resumes in another one."""
        if self._db.dialect == "postgresql":
            sql = """SELECT concat((SELECT value FROM meta WHERE key = 'epoch'), ' ', (SELECT system_identifier FROM pg_control_system()), ' ',
            (SELECT timeline_id FROM pg_control_checkpoint()))"""
        else:
            sql = "SELECT value FROM meta WHERE key = 'epoch'"
        return hashlib.sha256(str(await self._db.fetch_val(sql)).encode()).hexdigest()[:16]

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
