"""Files that people uploaded: a row each, the bytes in the artifact store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from app.artifacts.store import ArtifactStore
from app.db import Database
from app.errors import Invalid, NotFound

LONGEST_NAME: Final = 255  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file. `key` finds its bytes."""

    id: UUID
    user_id: int
    name: str
    size: int  # bytes
    sha256: str  # hex
    media_type: str
    key: str


class Files:
    """A user's uploads; another user's are not found."""

    def __init__(self, db: Database, store: ArtifactStore, *, most: int) -> None:
        self._db = db
        self._store = store
        self._most = most  # bytes of one file

    async def save(self, user_id: int, name: str, media_type: str, chunks: AsyncIterator[bytes]) -> File:
        """Store an upload as it comes. Raises `Invalid` for a name that is none, `TooLarge`, `Unavailable`; then nothing is kept."""
        shown = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
        if not shown or len(shown) > LONGEST_NAME or not shown.isprintable():
            raise Invalid(fields={"file": f"needs a name of 1 to {LONGEST_NAME} printable characters"})
        file_id = uuid4()
        key = f"uploads/{user_id}/{file_id}"
        written = await self._store.write(key, chunks, most=self._most)
        file = File(
            id=file_id,
            user_id=user_id,
            name=shown,
            size=written.size,
            sha256=written.sha256,
            media_type=media_type,
            key=key,
        )
        await self._db.execute(
            """INSERT INTO files (id, user_id, name, size, sha256, media_type, key, created_at)
            VALUES (:id, :user_id, :name, :size, :sha256, :media_type, :key, :now)""",
            {**{field: getattr(file, field) for field in File.__slots__}, "now": datetime.now(UTC)},
        )
        return file

    async def get(self, user_id: int, file_id: UUID) -> File:
        """Raises `NotFound`."""
        row = await self._db.fetch_one(
            "SELECT * FROM files WHERE id = :id AND user_id = :user", {"id": file_id, "user": user_id}
        )
        if row is None:
            raise NotFound("There is no such file.")
        return File(**{field: row[field] for field in File.__slots__} | {"id": UUID(str(row["id"]))})
