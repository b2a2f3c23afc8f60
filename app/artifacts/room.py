"""What the file store holds for whom: a row for each object, made before its bytes and removed after them. A user's room is what these rows may sum up to."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from app.db import NOW, Database
from app.errors import TooMany

LOCK: Final = 0x46494C45  # of this table's sums among PostgreSQL's advisory locks
RETRY_AFTER: Final = 3600.0  # seconds: as often as what has expired goes

_INSERT: Final = f"INSERT INTO objects (key, user_id, task_id, size, made_at) VALUES (:key, :user, :task, :size, {NOW})"


class NoRoom(TooMany):
    """Your files take up all the room that you have."""

    def __init__(self, used: int, most: int) -> None:
        super().__init__(
            f"Your files take up {used:,} of the {most:,} bytes that you have room for: this does not fit.",
            hint="Delete uploads on your account page, or tasks together with their files.",
            retry_after=RETRY_AFTER,
        )


class Room:
    """`most` bytes a user, uploads and results together. Every method raises `Unavailable`."""

    def __init__(self, db: Database, *, most: int) -> None:
        self._db = db
        self.most = most

    async def used(self, user_id: int) -> int:
        """Bytes that a user has stored, or is storing."""
        sql = "SELECT coalesce(sum(size), 0) AS used FROM objects WHERE user_id = :user"
        return int(await self._db.fetch_val(sql, {"user": user_id}))

    async def take(self, user_id: int, key: str, *, likely: int, at_least: int = 0) -> int:
        """Hold room for an upload: `likely` bytes, or as many as there are. Returns how many. Raises `NoRoom` where not even `at_least` are left."""
        async with self._db.transaction():
            await self._alone(user_id)
            left = self.most - await self.used(user_id)
            if left < max(1, at_least):
                raise NoRoom(self.most - left, self.most)
            held = min(likely, left)
            await self._db.execute(_INSERT, {"key": key, "user": user_id, "task": None, "size": held})
        return held

    async def keep(self, user_id: int, task_id: UUID, sizes: Mapping[str, int]) -> None:
        """Hold room for all of a task's files, by key. Raises `NoRoom`. Again for the same keys, where no answer came, it counts them once."""
        async with self._db.transaction():
            await self._alone(user_id)
            for key, size in sizes.items():
                values = {"key": key, "user": user_id, "task": task_id, "size": size}
                await self._db.execute(f"{_INSERT} ON CONFLICT (key) DO NOTHING", values)
            used = await self.used(user_id)
            if used > self.most:
                raise NoRoom(used - sum(sizes.values()), self.most)

    async def settle(self, key: str, size: int) -> bool:
        """The object is stored and has this size. False where its row is gone, because storing it took longer than a day."""
        sql = "UPDATE objects SET size = :size WHERE key = :key RETURNING key"
        return bool(await self._db.fetch_all(sql, {"key": key, "size": size}))

    async def give_back(self, *keys: str) -> None:
        """The store holds these no longer."""
        for key in keys:
            await self._db.execute("DELETE FROM objects WHERE key = :key", {"key": key})

    async def _alone(self, user_id: int) -> None:
        """Until the end of the transaction nobody else counts: two uploads at once must not both find the same room. SQLite has one writer anyway."""
        if self._db.dialect == "postgresql":
            await self._db.fetch_all(
                "SELECT pg_advisory_xact_lock(CAST(:lock AS int), CAST(:user AS int))", {"lock": LOCK, "user": user_id}
            )
