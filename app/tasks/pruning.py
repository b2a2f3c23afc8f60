"""Retention: what the log and the idempotency keys may forget, in pieces so small that nobody waits for them.

Of each user the log keeps a suffix: the events up to `streams.floor` are gone, together and by number, so that a reader sees either an event or that it
came too late for it. Never by time alone: a clock that went back leaves old times behind new ones. The clock is the database's: that of one worker, if it
is wrong, must not forget what others still want.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from app.db import Database, moment

KEYS_KEPT: Final = timedelta(hours=24)  # after their task was deleted
PIECE: Final = 500  # events, or keys, that one statement forgets
STREAMS: Final = 1_000  # users, or keys, that one statement looks at

# One statement, so that a process that freezes in the middle holds no lock.
FORGET_POSTGRESQL: Final = """WITH forgotten AS (UPDATE streams SET floor = :floor WHERE user_id = :user AND floor < :floor RETURNING user_id, floor)
DELETE FROM events USING forgotten WHERE events.user_id = forgotten.user_id AND events.seq <= forgotten.floor"""


class Pruning:
    """`kept`: how long an event can be replayed; a day at least, as the keys of deleted tasks count from the events that tell of it.

    Several processes may prune at once. Every method raises `Unavailable`, and goes on where it was when it is called again.
    """

    def __init__(self, db: Database, *, kept: timedelta) -> None:
        self._db = db
        self._kept = max(kept, KEYS_KEPT)

    async def its_turn(self, every: timedelta) -> bool:
        """Whether nobody has begun to prune in the last `every`; the caller has begun now."""
        now = await self._db.now()
        sql = """INSERT INTO meta (key, value) VALUES ('pruned_at', :now)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value < :stale RETURNING key"""
        return bool(await self._db.fetch_all(sql, {"now": _text(now), "stale": _text(now - every)}))

    async def events(self) -> int:
        """Of each user, forget the longest run of events from the oldest on that are all older than `kept`; returns how many."""
        before = await self._db.now() - self._kept
        forgotten = 0
        async for user_id, floor, oldest in self._streams():
            if oldest is None or oldest >= before:
                continue
            forgotten += await self._shorten(user_id, floor, before)
        return forgotten

    async def keys(self) -> int:
        """Forget the idempotency keys of tasks that were deleted `KEYS_KEPT` ago or longer; returns how many."""
        sql = """DELETE FROM idempotency WHERE (user_id, key) > (:user, :key) AND (user_id, key) <= (:last_user, :last_key) AND created_at < :before
        AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = idempotency.task_id)
        AND NOT EXISTS (SELECT 1 FROM events e WHERE e.task_id = idempotency.task_id AND e.type = 'task.deleted' AND e.at >= :before) RETURNING key"""
        before = await self._db.now() - KEYS_KEPT
        forgotten = 0
        here: tuple[int, str] | None = (0, "")
        while here is not None:
            user_id, key = here
            began = time.monotonic()
            here, last = await self._stretch(user_id, key)
            values = {"user": user_id, "key": key, "last_user": last[0], "last_key": last[1], "before": before}
            forgotten += len(await self._db.fetch_all(sql, values))
            await asyncio.sleep(time.monotonic() - began)
        return forgotten

    async def _streams(self) -> AsyncIterator[tuple[int, int, datetime | None]]:
        """(user, floor, when the oldest event that is left happened) of everybody who has a log."""
        sql = """SELECT s.user_id, s.floor, e.at FROM (SELECT user_id, floor FROM streams WHERE user_id > :after ORDER BY user_id LIMIT :most) s
        LEFT JOIN events e ON e.user_id = s.user_id AND e.seq = s.floor + 1 ORDER BY s.user_id"""
        after: int | None = 0
        while after is not None:
            rows = await self._db.fetch_all(sql, {"after": after, "most": STREAMS})
            for row in rows:
                yield row["user_id"], row["floor"], None if row["at"] is None else moment(row["at"])
            after = rows[-1]["user_id"] if len(rows) == STREAMS else None

    async def _shorten(self, user_id: int, floor: int, before: datetime) -> int:
        """Forget one user's old events; how many."""
        here = floor
        while (reached := await self._prefix(user_id, here, before)) > here:
            began = time.monotonic()
            await self._forget(user_id, reached)
            here = reached
            # As long a rest as the work took: pruning costs half of one connection at most.
            await asyncio.sleep(time.monotonic() - began)
        return here - floor

    async def _prefix(self, user_id: int, floor: int, before: datetime) -> int:
        """Up to where the next `PIECE` events are all older than `before`."""
        sql = "SELECT seq, at FROM events WHERE user_id = :user AND seq > :floor ORDER BY seq LIMIT :most"
        rows = await self._db.fetch_all(sql, {"user": user_id, "floor": floor, "most": PIECE})
        old = list(takewhile(lambda row: moment(row["at"]) < before, rows))
        return int(old[-1]["seq"]) if old else floor

    async def _forget(self, user_id: int, floor: int) -> None:
        values = {"user": user_id, "floor": floor}
        if self._db.dialect == "postgresql":
            await self._db.execute(FORGET_POSTGRESQL, values)
            return
        async with self._db.transaction():
            await self._db.execute("UPDATE streams SET floor = max(floor, :floor) WHERE user_id = :user", values)
            await self._db.execute("DELETE FROM events WHERE user_id = :user AND seq <= :floor", values)

    async def _stretch(self, user_id: int, key: str) -> tuple[tuple[int, str] | None, tuple[int, str]]:
        """Where the keys after (user, key) go on after this stretch, None at the end; and the last one in it."""
        sql = "SELECT user_id, key FROM idempotency WHERE (user_id, key) > (:user, :key) ORDER BY user_id, key LIMIT :most"
        rows = await self._db.fetch_all(sql, {"user": user_id, "key": key, "most": PIECE})
        last = (rows[-1]["user_id"], rows[-1]["key"]) if rows else (user_id, key)
        return (last if len(rows) == PIECE else None), last


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
