"""Files that people uploaded: a row each, the bytes in the file store. They expire when no task has taken them for a while."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from app.artifacts.need import needed
from app.artifacts.room import NoRoom, Room
from app.artifacts.store import ArtifactStore
from app.db import Database, Row, moment
from app.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable

LONGEST_NAME: Final = 255  # characters
WRAPPING: Final = 64 * 1024  # bytes of a request around the files in it, at most
USED_ANEW_AFTER: Final = timedelta(hours=1)  # a file that many tasks take is not written to for each of them
COLUMNS: Final = ("id", "user_id", "name", "size", "sha256", "media_type", "key", "created_at", "used_at")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file. `key` finds its bytes; `used_at` is when a task last took it."""

    id: UUID
    user_id: int
    name: str
    size: int  # bytes
    sha256: str  # hex
    media_type: str
    key: str
    created_at: datetime
    used_at: datetime | None = None


class Files:
    """A user's uploads; another user's are not found. `most`: bytes of one file. `kept`: how long after its last use one stays."""

    def __init__(self, db: Database, store: ArtifactStore, room: Room, *, most: int, kept: timedelta) -> None:
        self._db = db
        self._store = store
        self._most = most
        self.room = room
        self.kept = kept

    async def save(
        self,
        user_id: int,
        name: str,
        media_type: str,
        chunks: AsyncIterator[bytes],
        *,
        expected: int | None = None,
        file_id: UUID | None = None,
    ) -> File:
        """Store an upload as it comes, under a new id where none is given. `expected`: bytes that it may have, where that is known.

        Raises `Invalid` for a name that is none, `TooLarge`, `NoRoom`, `Unavailable`, and what `chunks` raises; then nothing is kept.
        """
        shown = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
        if not shown or len(shown) > LONGEST_NAME or not shown.isprintable():
            raise Invalid(fields={"file": f"needs a name of 1 to {LONGEST_NAME} printable characters"})
        file_id = file_id or uuid4()
        key = _key(user_id, file_id)
        likely = self._most if expected is None else min(expected, self._most)
        held = await self.room.take(user_id, key, likely=likely, at_least=0 if expected is None else likely - WRAPPING)
        try:
            try:
                written = await self._store.write(key, chunks, most=held)
            except TooLarge:
                if held < likely:  # than it may be: the room, not the size, is what it was too large for
                    raise NoRoom(await self.room.used(user_id) - held, self.room.most) from None
                raise
            file = File(
                id=file_id,
                user_id=user_id,
                name=shown,
                size=written.size,
                sha256=written.sha256,
                media_type=media_type,
                key=key,
                created_at=datetime.now(UTC),
            )
            await self._insert(file)
        except BaseException:
            # The bytes are gone already. Where this fails too, the room comes back within a day.
            with contextlib.suppress(Unavailable):
                await self.room.give_back(key)
            raise
        return file

    async def _insert(self, file: File) -> None:
        try:
            async with self._db.transaction():
                if not await self.room.settle(file.key, file.size):
                    raise Unavailable("The upload took longer than a day.")
                # Whoever adopts the same at the same time has stored the same bytes: they must not go because one of the two comes second.
                await self._db.execute(
                    f"""INSERT INTO files ({", ".join(COLUMNS)}) VALUES ({", ".join(f":{name}" for name in COLUMNS)})
                    ON CONFLICT (id) DO NOTHING""",
                    {name: getattr(file, name) for name in COLUMNS},
                )
        except BaseException:
            with contextlib.suppress(Unavailable):
                await self._store.delete(file.key)
            raise

    async def adopt(self, user_id: int, file_id: UUID, name: str, media_type: str, *, key: str, size: int) -> File:
        """What a task made (`key` and `size` of its artifact), as a file that tasks can take: a copy, so that each goes in its own time.

        The same id again finds the same file. Raises `NotFound` where the artifact is gone, and what `save` raises.
        """
        with contextlib.suppress(NotFound):
            return await self.use(user_id, file_id)
        await self.room.give_back(_key(user_id, file_id))  # an earlier try may have died in the middle
        chunks = await self._store.read(key, size=size)
        return await self.save(user_id, name, media_type, chunks, expected=size, file_id=file_id)

    async def get(self, user_id: int, file_id: UUID) -> File:
        """Raises `NotFound`."""
        row = await self._db.fetch_one(
            "SELECT * FROM files WHERE id = :id AND user_id = :user", {"id": file_id, "user": user_id}
        )
        if row is None:
            raise NotFound("There is no such file.", hint="It was deleted or has expired: upload it again.")
        return _file(row)

    async def use(self, user_id: int, file_id: UUID) -> File:
        """The file, for a task that is about to take it: its days begin anew. Raises `NotFound`."""
        now = datetime.now(UTC)
        rows = await self._db.fetch_all(
            """UPDATE files SET used_at = :now WHERE id = :id AND user_id = :user AND coalesce(used_at, created_at) < :before
            RETURNING *""",
            {"id": file_id, "user": user_id, "now": now, "before": now - min(USED_ANEW_AFTER, self.kept / 2)},
        )
        return _file(rows[0]) if rows else await self.get(user_id, file_id)

    async def page(self, user_id: int, limit: int, cursor: str | None = None) -> tuple[list[File], str | None]:
        """Up to `limit` files, the newest first, after `cursor`; and the cursor of what follows. Raises `Invalid` for a cursor that is none."""
        values: dict[str, Any] = {"user": user_id, "limit": limit + 1}
        after = ""
        if cursor is not None:
            after = "AND (created_at, id) < (:at, :id)"
            values["at"], values["id"] = _position(cursor)
        rows = await self._db.fetch_all(
            f"SELECT * FROM files WHERE user_id = :user {after} ORDER BY created_at DESC, id DESC LIMIT :limit", values
        )
        found = [_file(row) for row in rows[:limit]]
        return found, _cursor(found[-1]) if len(rows) > limit else None

    async def delete(self, user_id: int, file_id: UUID) -> None:
        """Delete an upload. Raises `NotFound`; `Conflict` while a task that waits or runs needs it."""
        file = await self.get(user_id, file_id)
        rows = await self._db.fetch_all(
            f"DELETE FROM files WHERE id = :id AND user_id = :user AND NOT {needed(self._db.dialect)} RETURNING key",
            {"id": file_id, "user": user_id},
        )
        if not rows:
            raise Conflict(f"A task that waits or runs needs {file.name}.", hint="Cancel the task first, or wait.")
        await self._store.delete(file.key)
        await self.room.give_back(file.key)

    async def discard(self, *files: File) -> None:
        """Take back uploads of a request that has failed."""
        for file in files:
            with contextlib.suppress(NotFound, Conflict):
                await self.delete(file.user_id, file.id)

    def expires_at(self, file: File) -> datetime:
        """When the file goes, unless a task takes it or still needs it then."""
        return (file.used_at or file.created_at) + self.kept


def _key(user_id: int, file_id: UUID) -> str:
    return f"uploads/{user_id}/{file_id}"


def _file(row: Row) -> File:
    values = {name: row[name] for name in COLUMNS}
    used_at = None if row["used_at"] is None else moment(row["used_at"])
    return File(**{**values, "id": UUID(str(row["id"])), "created_at": moment(row["created_at"]), "used_at": used_at})


def _cursor(file: File) -> str:
    return f"{(file.created_at - _BEGINNING) // _TICK}_{file.id}"


def _position(cursor: str) -> tuple[datetime, UUID]:
    try:
        ticks, _, file_id = cursor.partition("_")
        return _BEGINNING + int(ticks) * _TICK, UUID(file_id)
    except (ValueError, OverflowError):
        raise Invalid(fields={"cursor": "is not one that this service gave"}) from None
