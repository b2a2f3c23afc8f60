"""Files that tasks made: in the store under a folder of the attempt's own, named in the task's row by the commit that ends it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from app.artifacts.room import Room
from app.artifacts.store import ArtifactStore


class Made(Protocol):
    """A file on this machine that goes into a task's result. `size` in bytes."""

    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...


class Results:
    """Keeps what attempts made. What no task names in the end, since the attempt was lost, is collected a day later."""

    def __init__(self, room: Room, store: ArtifactStore) -> None:
        self._room = room
        self._store = store

    async def keep(
        self, user_id: int, task_id: UUID, attempt: int, token: UUID, files: Sequence[Made]
    ) -> list[dict[str, Any]]:
        """Store them; the answer goes into the task's row. Raises `NoRoom`; `Unavailable`, after which it may be called again with the same."""
        # A folder of its own for each claim: an attempt that was given up never overwrites what another one made. Numbers, as not every
        # store takes every name.
        keys = [f"tasks/{task_id}/{attempt}-{token}/{number}" for number in range(len(files))]
        await self._room.keep(user_id, task_id, {key: file.size for key, file in zip(keys, files, strict=True)})
        for key, file in zip(keys, files, strict=True):
            await self._store.upload(key, file.path)
        return [
            {"name": file.name, "media_type": file.media_type, "size": file.size, "key": key}
            for key, file in zip(keys, files, strict=True)
        ]
