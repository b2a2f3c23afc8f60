"""Retention of files: uploads that no task has taken for a while, what ended tasks have made, and what nobody ever named. Small pieces, so that nobody waits."""

import asyncio
import time
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.artifacts import ArtifactStore
from app.artifacts.need import needed
from app.artifacts.room import Room
from app.db import Database

PIECE: Final = 500  # objects that one statement looks at
FEW: Final = 50  # uploads: each is looked for in what its owner has waiting
# After this time nobody stores an object any more whose row was made: not an upload on a slow line, nor a worker that was frozen.
ABANDONED: Final = timedelta(days=1)

_TEXTS: Final = {
    "postgresql": {
        "named": "strpos(CAST(t.artifacts AS text), o.key) > 0",
        "mine": "strpos(o.key, CAST(t.claim AS text)) > 0",
    },
    "sqlite": {"named": "instr(t.artifacts, o.key) > 0", "mine": "instr(o.key, t.claim) > 0"},
}
# An upload is wanted while it has its row in `files`; a result while its task has ended with it and its days are not over, or may still end with it.
_UNWANTED: Final = """SELECT o.key FROM objects o WHERE o.key > :after AND o.key <= :last AND o.made_at < :abandoned AND CASE
  WHEN o.task_id IS NULL THEN NOT EXISTS (SELECT 1 FROM files f WHERE f.key = o.key)
  ELSE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = o.task_id AND CASE WHEN t.finished_at IS NULL THEN {mine} ELSE t.finished_at >= :before AND {named} END)
END ORDER BY o.key"""


class Retention:
    """`kept`: how long an upload stays after a task last took it, and a result after the end of its task.

    Several processes may do this at once. Every method raises `Unavailable`, and goes on where it was when it is called again.
    """

    def __init__(self, db: Database, store: ArtifactStore, room: Room, *, kept: timedelta) -> None:
        self._db = db
        self._store = store
        self._room = room
        self._kept = kept

    async def uploads(self) -> int:
        """Remove uploads whose days are over and that nothing needs; returns how many."""
        before = await self._db.now() - self._kept
        candidates = (
            "SELECT id FROM files WHERE coalesce(used_at, created_at) < :before AND id > :after ORDER BY id LIMIT :most"
        )
        # Of a file that was taken since, the condition holds no longer.
        expire = f"""DELETE FROM files WHERE id = :id AND coalesce(used_at, created_at) < :before AND NOT {needed(self._db.dialect)} RETURNING key"""
        removed, after = 0, UUID(int=0)
        while rows := await self._db.fetch_all(candidates, {"before": before, "after": after, "most": FEW}):
            began = time.monotonic()
            for row in rows:
                for gone in await self._db.fetch_all(expire, {"id": row["id"], "before": before}):
                    await self._remove(gone["key"])
                    removed += 1
            after = rows[-1]["id"]
            await asyncio.sleep(time.monotonic() - began)
        return removed

    async def objects(self) -> int:
        """Remove results whose days are over, and what a lost attempt, a deleted task or a broken upload left behind; returns how many."""
        now = await self._db.now()
        sql = _UNWANTED.format_map(_TEXTS[self._db.dialect])
        removed, after = 0, ""
        while (last := await self._last_after(after)) is not None:
            began = time.monotonic()
            values = {"after": after, "last": last, "abandoned": now - ABANDONED, "before": now - self._kept}
            for row in await self._db.fetch_all(sql, values):
                await self._remove(row["key"])
                removed += 1
            after = last
            await asyncio.sleep(time.monotonic() - began)
        return removed

    async def _remove(self, key: str) -> None:
        # The row last: where the store does not answer, it is still known what is there.
        await self._store.delete(key)
        await self._room.give_back(key)

    async def _last_after(self, key: str) -> str | None:
        sql = (
            "SELECT max(key) AS last FROM (SELECT key FROM objects WHERE key > :after ORDER BY key LIMIT :most) stretch"
        )
        last: str | None = await self._db.fetch_val(sql, {"after": key, "most": PIECE})
        return last
