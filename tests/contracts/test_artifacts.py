"""The artifact store over a folder and over S3: what comes out is what went in, and nothing is kept of what was refused."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from app.artifacts import ArtifactStore
from app.artifacts.store import PIECE
from app.errors import NotFound, TooLarge, Unavailable
from tests.servers import S3, free_port

# More than one piece, the last of which is not whole.
LARGE = bytes(range(256)) * (PIECE // 256) + b"and a little more"


@dataclass(frozen=True)
class Backend:
    """A store, and a look behind it."""

    store: ArtifactStore
    folder: Path
    s3: S3 | None
    bucket: str

    def kept(self) -> set[str]:
        """Whatever takes space, by whichever name."""
        if self.s3 is not None:
            return self.s3.keys(self.bucket) | self.s3.unfinished(self.bucket)
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*")}


@pytest.fixture(params=["folder", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    folder = tmp_path / "a folder"
    if request.param == "folder":
        return Backend(ArtifactStore(folder.as_uri()), folder, None, "")
    s3: S3 = request.getfixturevalue("s3")
    bucket = f"store-{uuid4()}"
    url = s3.create_bucket(bucket)
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return Backend(ArtifactStore(f"{url}/some/prefix"), folder, s3, bucket)


@pytest.fixture
def store(backend: Backend) -> ArtifactStore:
    return backend.store


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def contents(store: ArtifactStore, key: str, size: int, start: int = 0) -> bytes:
    return b"".join([chunk async for chunk in await store.read(key, size=size, start=start)])


@pytest.mark.parametrize("body", [b"", b"x", LARGE[:-17], LARGE], ids=["empty", "one byte", "one piece", "two pieces"])
async def test_bytes_come_back_as_they_went_in(store: ArtifactStore, tmp_path: Path, body: bytes) -> None:
    written = await store.write("uploads/1/x", chunks(body[:1000], body[1000:]), most=len(body))
    assert (written.size, written.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert await contents(store, "uploads/1/x", len(body)) == body
    assert (await store.local("uploads/1/x", tmp_path / "here")).read_bytes() == body


async def test_a_local_file_is_stored(store: ArtifactStore, tmp_path: Path) -> None:
    for number, body in enumerate((b"", b"<p>", LARGE)):
        (tmp_path / "report.html").write_bytes(body)
        await store.upload(f"tasks/1/{number}", tmp_path / "report.html")
        assert await contents(store, f"tasks/1/{number}", len(body)) == body


async def test_any_range_is_read_alone(store: ArtifactStore) -> None:
    await store.write("uploads/1/x", chunks(LARGE), most=len(LARGE))
    for start, size in ((0, 1), (1, 300), (PIECE - 2, 4), (PIECE, 17), (len(LARGE) - 1, 1), (5, 0)):
        assert await contents(store, "uploads/1/x", size, start) == LARGE[start : start + size]


async def test_a_piece_at_a_time_is_read(store: ArtifactStore) -> None:
    await store.write("uploads/1/x", chunks(LARGE), most=len(LARGE))
    assert [len(chunk) async for chunk in await store.read("uploads/1/x", size=len(LARGE))] == [PIECE, 17]


@pytest.mark.parametrize("body", [b"1234567", LARGE], ids=["small", "large"])
async def test_nothing_is_kept_of_what_is_too_large(backend: Backend, body: bytes) -> None:
    most = len(body) - 1
    with pytest.raises(TooLarge, match=f"{most:,} bytes"):
        await backend.store.write("uploads/1/x", chunks(body[:5], body[5:]), most=most)
    assert backend.kept() == set()


@pytest.mark.parametrize("body", [b"1234567", LARGE], ids=["small", "large"])
async def test_nothing_is_kept_of_what_breaks_off(backend: Backend, body: bytes) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield body
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await backend.store.write("uploads/1/x", broken(), most=len(body))
    assert backend.kept() == set()


async def test_nothing_is_kept_of_what_is_cancelled(backend: Backend) -> None:
    under_way = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield LARGE
        under_way.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(backend.store.write("uploads/1/x", silent(), most=len(LARGE)))
    await under_way.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert backend.kept() == set()


async def test_what_is_not_there_is_not_found(store: ArtifactStore, tmp_path: Path) -> None:
    for size in (0, 1):
        with pytest.raises(NotFound):
            await store.read("uploads/1/none", size=size)
    with pytest.raises(NotFound):
        await store.local("uploads/1/none", tmp_path)


async def test_deleting_removes_what_is_there(backend: Backend) -> None:
    store = backend.store
    await store.write("uploads/1/x", chunks(b"x"), most=10)
    await store.write("uploads/2/y", chunks(b"y"), most=10)
    await store.delete("uploads/1/none", "uploads/1/x", "uploads/1/none", "none/at/all")
    assert {name for name in backend.kept() if name.rpartition("/")[2] in "xy"} in (
        {"uploads/2/y"},
        {"some/prefix/uploads/2/y"},
    )
    await store.delete("uploads/2/y")
    assert backend.kept() == set(), "no empty folder is left either"


async def test_a_folder_forgets_what_a_killed_process_had_begun(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path.as_uri())
    (tmp_path / "uploads/1").mkdir(parents=True)
    (tmp_path / "uploads/1/x#1").write_bytes(b"half")  # as the library stages it
    await store.delete("uploads/1/x")
    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_is_away_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3) -> None:
    for name, value in (s3.variables | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("app.artifacts.store.RETRIES", {"max_retries": 0})
    store = ArtifactStore("s3://bucket")
    (tmp_path / "x").write_bytes(b"x")
    for call in (
        store.write("x", chunks(b"x"), most=10),
        store.upload("x", tmp_path / "x"),
        store.read("x", size=1),
        store.delete("x"),
    ):
        with pytest.raises(Unavailable, match="The file store does not answer"):
            await call
