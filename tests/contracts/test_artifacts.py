"""The artifact store over a folder: what comes out is what went in, and nothing is kept of what was refused."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.artifacts import ArtifactStore
from app.errors import NotFound, TooLarge


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore((tmp_path / "a folder").as_uri())


def kept(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_bytes_come_back_as_they_went_in(store: ArtifactStore, tmp_path: Path) -> None:
    body = bytes(range(256)) * 20_000
    written = await store.write("uploads/1/x", chunks(body[:1000], body[1000:]), most=len(body))
    assert (written.size, written.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert b"".join([chunk async for chunk in await store.read("uploads/1/x")]) == body
    assert (await store.local("uploads/1/x", tmp_path)).read_bytes() == body


async def test_a_local_file_is_stored(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>")
    await store.upload("tasks/1/report.html", tmp_path / "report.html")
    assert b"".join([chunk async for chunk in await store.read("tasks/1/report.html")]) == b"<p>"


async def test_nothing_is_kept_of_what_is_too_large(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="10 bytes"):
        await store.write("uploads/1/x", chunks(b"12345", b"678901"), most=10)
    assert kept(tmp_path) == []


async def test_nothing_is_kept_of_what_breaks_off(store: ArtifactStore, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.write("uploads/1/x", broken(), most=10)
    assert kept(tmp_path) == []


async def test_what_is_not_there_is_not_found(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await store.read("uploads/1/none")
    with pytest.raises(NotFound):
        await store.local("uploads/1/none", tmp_path)


async def test_deleting_removes_what_is_there(store: ArtifactStore, tmp_path: Path) -> None:
    await store.write("uploads/1/x", chunks(b"x"), most=10)
    await store.delete("uploads/1/none", "uploads/1/x", "uploads/1/none")
    assert kept(tmp_path) == []
