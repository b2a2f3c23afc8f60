"""Bytes by key. The scheme of the URL picks the place: `file:///…` (a folder) or `s3://bucket/…` (credentials and endpoint from the usual AWS_* variables)."""

import asyncio
import contextlib
import glob
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from app.errors import NotFound, TooLarge, Unavailable

if TYPE_CHECKING:  # the library says that this name is not there at run time
    from obstore.store import RetryConfig

# Bytes of one request to the store, in either direction: what a file of any size takes of the memory is a few of these. S3 takes 10,000 of them for a file.
PIECE: Final = 8 * 1024 * 1024
AT_ONCE: Final = 2  # pieces of a file under way to the store
CONNECT_WITHIN: Final = timedelta(seconds=5)
SILENT_FOR: Final = timedelta(seconds=60)  # at most, in an answer
# To one request: S3 may take minutes to put the pieces of a file together, and says so meanwhile.
ANSWER_WITHIN: Final = timedelta(minutes=15)
RETRIES: "Final[RetryConfig]" = {"max_retries": 5, "retry_timeout": timedelta(seconds=15)}


@dataclass(frozen=True, slots=True)
class Written:
    """What was stored: bytes and SHA-256 as hex."""

    size: int
    sha256: str


class ArtifactStore:
    """Keys are made by the service (ids and checked names), never by a client, and nothing is written twice under one key."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._store: ObjectStore = LocalStore(self._folder, mkdir=True) if self._folder else _bucket(url)

    async def write(self, key: str, chunks: AsyncIterator[bytes], *, most: int) -> Written:
        """Store what `chunks` brings, as it comes. Raises `TooLarge` after `most` bytes, with nothing kept; `Unavailable`."""
        size, digest = 0, hashlib.sha256()
        writer = obstore.open_writer_async(self._store, key, buffer_size=PIECE, max_concurrency=AT_ONCE)
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
            # A writer cannot be given up, only completed: what it wrote would stay where nobody sees it. Once it is complete it can go.
            with contextlib.suppress(Exception):
                await writer.close()
            with contextlib.suppress(Exception):
                await self.delete(key)
            raise
        return Written(size, digest.hexdigest())

    async def upload(self, key: str, path: Path) -> None:
        """Store a local file."""
        with _unavailable():
            await obstore.put_async(self._store, key, path, chunk_size=PIECE, max_concurrency=AT_ONCE)

    async def read(self, key: str, *, size: int, start: int = 0) -> AsyncIterator[bytes]:
        """`size` bytes from `start` on, piece by piece. Raises `NotFound` and `Unavailable` at once, not at the first piece."""
        # Each piece is a request of its own: however slowly somebody reads, none is left open meanwhile.
        end = start + size
        first = await self._piece(key, start, end)

        async def pieces() -> AsyncIterator[bytes]:
            piece, at = first, start
            while True:
                yield piece
                at += len(piece)
                if at >= end:
                    return
                piece = await self._piece(key, at, end)

        return pieces()

    async def _piece(self, key: str, start: int, end: int) -> bytes:
        with _unavailable():
            if start >= end:  # of nothing there is no range, but it may be gone all the same
                await obstore.head_async(self._store, key)
                return b""
            return bytes(await obstore.get_range_async(self._store, key, start=start, end=min(end, start + PIECE)))

    async def local(self, key: str, folder: Path) -> Path:
        """A path to read the bytes from: the stored file itself where the store is a folder, else a copy in `folder`."""
        if self._folder is not None:
            path = self._folder / key
            if not await asyncio.to_thread(path.is_file):
                raise NotFound("The file is gone.")
            return path
        with _unavailable():
            size = (await obstore.head_async(self._store, key))["size"]
        path = folder / Path(key).name
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        with _unavailable(), await asyncio.to_thread(path.open, "wb") as copy:
            async for piece in await self.read(key, size=size):
                await asyncio.to_thread(copy.write, piece)
        return path

    async def delete(self, *keys: str) -> None:
        """Remove what is there; what is not there is fine."""
        for key in keys:
            with contextlib.suppress(NotFound), _unavailable():
                await obstore.delete_async(self._store, key)
            if self._folder is not None:
                await asyncio.to_thread(_tidy, self._folder, self._folder / key)


def _bucket(url: str) -> ObjectStore:
    return from_url(
        url,
        # Plain http only where AWS_ENDPOINT_URL says so.
        client_options={
            "connect_timeout": CONNECT_WITHIN,
            "read_timeout": SILENT_FOR,
            "timeout": ANSWER_WITHIN,
            "allow_http": True,
        },
        retry_config=RETRIES,
    )


def _tidy(root: Path, path: Path) -> None:
    """Remove what a process that was killed while it wrote `path` left beside it, and the folders that are empty now."""
    for staged in path.parent.glob(f"{glob.escape(path.name)}#*"):
        staged.unlink(missing_ok=True)
    # A writer that comes meanwhile makes its folder anew.
    with contextlib.suppress(OSError):
        for folder in path.parents:
            if folder == root:
                break
            folder.rmdir()


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound("The file is gone.") from None
    except (OSError, obstore.exceptions.BaseError) as error:
        raise Unavailable(f"The file store does not answer ({type(error).__name__}).") from error
