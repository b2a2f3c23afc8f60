"""The notifications of a user, read from the log of events: what lies behind the mark is unread. Every call is one user's, and raises `Unavailable`."""

from typing import Any, Final

from app.db import Database, moment
from app.notifications.model import Notice, Page, Reading
from app.tasks.rows import CARD_COLUMNS, task_of
from app.tasks.states import ENDS_SQL

MOST_COUNTED: Final = 100  # unread ends; more are said as 99+
# Newest ends that are looked through for unread ones: somebody may have muted or deleted a hundred thousand.
LOOKED_THROUGH: Final = 500
MARK: Final = "coalesce((SELECT seq FROM read_marks WHERE user_id = :user), 0)"
HEARD: Final = "NOT EXISTS (SELECT 1 FROM muted m WHERE m.user_id = t.user_id AND m.workload = t.workload)"


class Notifications:
    """Over either database. A task that was deleted has nothing to tell any more; one of a muted workload is listed, but never unread."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reading(self, user_id: int) -> Reading:
        """How far the user has read, from one snapshot."""
        newest = f"SELECT task_id FROM events WHERE user_id = :user AND seq > {MARK} AND {ENDS_SQL} ORDER BY seq DESC LIMIT :looked"
        unread = f"SELECT 1 AS one FROM ({newest}) e JOIN tasks t ON t.id = e.task_id WHERE {HEARD} LIMIT :most"
        sql = f"""SELECT {MARK} AS mark, s.seq AS head, (SELECT count(*) FROM ({unread}) counted) AS unread, muted.workload
        FROM streams s LEFT JOIN muted ON muted.user_id = s.user_id WHERE s.user_id = :user ORDER BY muted.workload"""
        rows = await self._db.fetch_all(sql, {"user": user_id, "looked": LOOKED_THROUGH, "most": MOST_COUNTED})
        if not rows:
            return Reading()
        muted = tuple(row["workload"] for row in rows if row["workload"] is not None)
        return Reading(seq=rows[0]["mark"], head=rows[0]["head"], unread=rows[0]["unread"], muted=muted)

    async def page(self, user_id: int, limit: int, *, before: int | None = None, unread: bool = False) -> Page:
        """Up to `limit` ends of tasks with `seq` under `before`, the newest first; `unread`: only those."""
        values: dict[str, Any] = {"user": user_id, "limit": limit + 1}
        ends = f"SELECT seq, at, task_id FROM events WHERE user_id = :user AND {ENDS_SQL}"
        if before is not None:
            ends += " AND seq < :before"
            values["before"] = before
        behind = f"seq > {MARK} AND {HEARD}"
        sql = f"""SELECT seq, at, {behind} AS unread, {CARD_COLUMNS} FROM ({ends}) e JOIN tasks t ON t.id = e.task_id
        WHERE {behind if unread else "true"} ORDER BY seq DESC LIMIT :limit"""
        rows = await self._db.fetch_all(sql, values)
        items = [Notice(row["seq"], moment(row["at"]), task_of(row), bool(row["unread"])) for row in rows[:limit]]
        return Page(items, items[-1].seq if len(rows) > limit else None)

    async def mark(self, user_id: int, seq: int) -> None:
        """All up to `seq` is read. A mark never goes back, and never ahead of the log: one from before a backup was restored counts for nothing."""
        sql = """INSERT INTO read_marks (user_id, seq) SELECT user_id, CAST(:seq AS bigint) FROM streams WHERE user_id = :user AND seq >= :seq
        ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq WHERE read_marks.seq < excluded.seq"""
        await self._db.execute(sql, {"user": user_id, "seq": seq})

    async def mute(self, user_id: int, workload: str) -> None:
        """Tell of the ends of this workload's tasks no more."""
        sql = "INSERT INTO muted (user_id, workload) VALUES (:user, :workload) ON CONFLICT DO NOTHING"
        await self._db.execute(sql, {"user": user_id, "workload": workload})

    async def unmute(self, user_id: int, workload: str) -> None:
        """Tell of them again; those behind the mark are unread again."""
        sql = "DELETE FROM muted WHERE user_id = :user AND workload = :workload"
        await self._db.execute(sql, {"user": user_id, "workload": workload})
