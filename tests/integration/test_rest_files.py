"""Files in and out, over REST: an upload, the work on it, its report; and what is refused on the way."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.integration.processes import Service
from tests.integration.rest import API, Caller, refused

MOST: Final = 200_000  # bytes of an upload
TABLE: Final = b"city,people\nOslo,709037\nBergen,291940\nTrondheim,214565\n"
SPLIT: Final = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    database = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("module_database_url")}
    one = Service(limit_upload=str(MOST), **database)
    try:
        one.start()
        yield one
    finally:
        one.close()


async def upload(
    ada: Caller, content: bytes = TABLE, name: str = "cities.csv", kind: str = "text/csv"
) -> httpx.Response:
    return await ada.post(f"{API}/files", files={"file": (name, content, kind)})


async def send(ada: Caller, part: bytes, content: bytes = b"x") -> httpx.Response:
    """An upload whose part has exactly this header."""
    body = b"--b\r\n" + part + b"\r\n\r\n" + content + b"\r\n--b--\r\n"
    return await ada.post(f"{API}/files", content=body, headers={"content-type": SPLIT})


def stored(service: Service) -> set[Path]:
    return {path for path in (service.data_dir / "files").rglob("*") if path.is_file()}


async def test_deleting_a_task_removes_its_files(ada: Caller, service: Service) -> None:
    file = (await upload(ada)).json()
    before = stored(service)
    task = await ada.ended(await ada.submit({"workload": "csv_profile", "params": {"file": file["id"]}}))
    assert len(stored(service) - before) == 2
    assert (await ada.delete(task["links"]["self"])).status_code == 204
    assert stored(service) == before, "the upload stays: another task may use it"


async def test_from_a_file_to_its_report(ada: Caller, bob: Caller) -> None:
    answer = await upload(ada)
    file = answer.json()
    assert answer.status_code == 201
    assert (file["name"], file["size"]) == ("cities.csv", len(TABLE))
    task = await ada.ended(await ada.submit({"workload": "csv_profile", "params": {"file": file["id"]}}))
    assert (task["state"], task["error"]) == ("succeeded", None)
    assert "3 rows" in task["summary"]
    assert task["result"]["blocks"]
    artifacts = {one["name"]: one for one in task["artifacts"]}
    assert set(artifacts) == {"report.html", "profile.json"}
    for name, media_type in {"report.html": "text/html", "profile.json": "application/json"}.items():
        got = await ada.get(artifacts[name]["url"])
        assert got.status_code == 200
        assert got.headers["content-type"].partition(";")[0] == media_type == artifacts[name]["media_type"]
        assert got.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert int(got.headers["content-length"]) == len(got.content) == artifacts[name]["size"]
        refused(await bob.get(artifacts[name]["url"]), 404)
    assert (await ada.get(artifacts["profile.json"]["url"])).json()["rows"] == 3
    folder = f"{API}/tasks/{task['id']}/artifacts/"
    for name in (
        "..",
        "../report.html",
        "%2e%2e",
        "..%2F..%2Ftaskline.db",
        "%2Fetc%2Fpasswd",
        "report.html%00",
        ".",
        "",
    ):
        # The client tidies paths; this one goes as it is.
        got = await ada.get(folder, extensions={"target": f"{folder}{name}".encode()})
        assert got.status_code == 404, name
    # A card, in lists and events, leaves out what is large.
    cards = [
        (await ada.get(f"{API}/tasks")).json()["items"][0],
        (await ada.get(f"{API}/events")).json()["items"][-1]["task"],
    ]
    for card in cards:
        assert not {"params", "result", "artifacts", "wait"} & set(card)


async def test_a_file_is_its_owners_alone(ada: Caller, bob: Caller) -> None:
    file = (await upload(ada)).json()
    refused(await bob.ask({"workload": "csv_profile", "params": {"file": file["id"]}}), 422, "file")


async def test_a_file_that_is_no_table_fails_with_a_reason(ada: Caller) -> None:
    for content in (b"", b"\x00\x01\x02\xff" * 100):
        file = (await upload(ada, content)).json()
        task = await ada.ended(await ada.submit({"workload": "csv_profile", "params": {"file": file["id"]}}))
        assert (task["state"], task["error"]["kind"]) == ("failed", "rejected")
        assert task["error"]["message"]


@pytest.mark.parametrize("over", [1, 1000, 60_000, 100_000, 5_000_000])
async def test_too_much_is_refused_and_nothing_is_kept(service: Service, ada: Caller, over: int) -> None:
    before = stored(service)
    refused(await upload(ada, b"x" * (MOST + over)), 413)

    async def in_chunks() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range((MOST + over) // 1000 + 1):
            yield b"x" * 1000
        yield b"\r\n--b--\r\n"

    refused(await ada.post(f"{API}/files", content=in_chunks(), headers={"content-type": SPLIT}), 413)
    assert stored(service) == before


async def test_all_that_is_allowed_is_taken(service: Service, ada: Caller) -> None:
    before = stored(service)
    answer = await upload(ada, b"x" * MOST)
    assert (answer.status_code, answer.json()["size"]) == (201, MOST)
    (new,) = stored(service) - before
    assert new.stat().st_size == MOST


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\cities.csv", "cities.csv"),
        ("Zürich 市.csv", "Zürich 市.csv"),
        ("/", None),
        ("x" * 256, None),
        ("a\nb", "a%0Ab"),  # httpx escapes it, as browsers do
    ],
)
async def test_the_name_is_a_name(service: Service, ada: Caller, name: str, shown: str | None) -> None:
    before = stored(service)
    answer = await upload(ada, name=name)
    if shown is None:
        refused(answer, 422, "file")
        assert stored(service) == before
    else:
        assert answer.json()["name"] == shown
        assert all(path.is_relative_to(service.data_dir / "files") for path in stored(service) - before)


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (b'Content-Disposition: form-data; name="file"; filename="a\x00b"', 422),
        (b'Content-Disposition: form-data; name="file"; filename=""', 422),
        (b'Content-Disposition: form-data; name="file"', 422),
        (b'Content-Disposition: form-data; name="other"; filename="a"', 422),
        (b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: te\x00xt', 201),
        (b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: \xff\xfe', 201),
        (b"Content-Disposition: form-data", 400),
        (b"nonsense", 400),
        # A header is kept until its part begins: this must not be as much as a file may be.
        (b'Content-Disposition: form-data; name="file"; filename="a"\r\nX: ' + b"x" * 10_000, 400),
        (b'Content-Disposition: form-data; name="file"; filename="a"' + b"\r\nX: x" * 1_000, 400),
    ],
)
async def test_odd_parts(ada: Caller, part: bytes, status: int) -> None:
    assert (await send(ada, part)).status_code == status


async def test_a_thousand_and_one_fields(service: Service, ada: Caller) -> None:
    before = stored(service)
    refused(await ada.post(f"{API}/files", files=[(f"field-{at}", (None, "x")) for at in range(1001)]), 400)
    refused(await ada.post(f"{API}/files", files=[("file", ("a", b"x"))] * 2), 400)
    assert stored(service) == before


@pytest.mark.parametrize("media_type", ["application/json", "application/octet-stream", "text/plain", ""])
async def test_a_file_comes_in_a_form(ada: Caller, media_type: str) -> None:
    refused(await ada.post(f"{API}/files", content=TABLE, headers={"content-type": media_type}), 415)
    refused(await ada.post(f"{API}/files", content=b"--b\r\n", headers={"content-type": "multipart/form-data"}), 400)
