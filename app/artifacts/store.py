"""Bytes by key. The scheme of the URL picks the place: `file:///…` (a folder) or `s3://bucket/…` (credentials from the usual AWS_* variables)."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from app.errors import NotFound, TooLarge, Unavailable


@dataclass(frozen=True, slots=True)
class Written:
    """What was stored: bytes and SHA-256 as hex."""

    size: int
    sha256: str


class ArtifactStore:
    """Keys are made by the service (ids and checked names), never by a client."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._store: ObjectStore = LocalStore(self._folder, mkdir=True) if self._folder else from_url(url)

    async def write(self, key: str, chunks: AsyncIterator[bytes], *, most: int) -> Written:
        """Store what `chunks` brings, as it comes. Raises `TooLarge` after `most` bytes, with nothing kept; `Unavailable`."""
        size, digest = 0, hashlib.sha256()
        writer = obstore.open_writer_async(self._store, key)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise TooLarge(f"The file is larger than {most:,} bytes, the most that is taken here.")
                digest.update(chunk)
                with _unavailable():
                    await writer.write(chunk)
            with _unavailable():
                await writer.close()
        except BaseException:
            # A writer cannot be given up, only completed; then what it wrote can go.
            with contextlib.suppress(Exception):
                await writer.close()
                await self.delete(key)
            raise
        return Written(size, digest.hexdigest())

    async def upload(self, key: str, path: Path) -> None:
        """Store a local file."""
        with _unavailable():
            await obstore.put_async(self._store, key, path)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes, in chunks. Raises `NotFound` and `Unavailable` at once, not at the first chunk."""
        with _unavailable():
            found = await obstore.get_async(self._store, key)
        return (bytes(chunk) async for chunk in found.stream())

    async def local(self, key: str, folder: Path) -> Path:
        """A path to read the bytes from: the stored file itself where the store is a folder, else a copy in `folder`."""
        return await asyncio.to_thread(self._local, key, folder)

    def _local(self, key: str, folder: Path) -> Path:
        if self._folder is not None:
            path = self._folder / key
            if not path.is_file():
                raise NotFound("The file is gone.")
            return path
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / Path(key).name
        with _unavailable(), path.open("wb") as copy:
            for chunk in obstore.get(self._store, key).stream():
                copy.write(chunk)
        return path

    async def delete(self, *keys: str) -> None:
        """Remove what is there; what is not there is fine."""
        for key in keys:
            with contextlib.suppress(NotFound), _unavailable():
                await obstore.delete_async(self._store, key)


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound("The file is gone.") from None
    except (OSError, obstore.exceptions.BaseError) as error:
        raise Unavailable(f"The file store does not answer ({type(error).__name__}).") from error
