"""Files over their life: room, ranges, expiry, deletion; on the pages too."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.integration.measure_uploads import MIB, measure
from tests.integration.processes import Service
from tests.integration.rest import API, Caller, refused, until
from tests.servers import S3

ROOM: Final = 1_000_000  # bytes of a user
MOST: Final = 600_000  # bytes of a file
SPLIT: Final = "multipart/form-data; boundary=b"
HEAD: Final = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


@pytest.fixture(scope="module", params=["sqlite and folder", "postgresql and s3"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    settings: dict[str, Any] = {"limit_files": str(ROOM), "limit_upload": str(MOST)}
    if request.param == "postgresql and s3":
        s3: S3 = request.getfixturevalue("s3")
        settings |= {
            "database_url": request.getfixturevalue("module_database_url"),
            "artifacts_url": s3.create_bucket(f"kept-{uuid4()}"),
            "variables": s3.variables,
        }
    one = Service(**settings)
    try:
        one.start()
        yield one
    finally:
        one.close()


async def finished_long_ago(service: Service, task_id: str) -> None:
    """As if a task had ended years ago. What has ended cannot be changed, so the rule is put aside for a moment."""
    moved = f"UPDATE tasks SET finished_at = '2020-01-01T00:00:00.000000+00:00' WHERE id = '{task_id}'"
    if url := service.setting("database_url"):
        connection = await asyncpg.connect(url)
        await connection.execute(
            f"ALTER TABLE tasks DISABLE TRIGGER USER; {moved}; ALTER TABLE tasks ENABLE TRIGGER USER"
        )
        await connection.close()
        return
    with contextlib.closing(sqlite3.connect(service.data_dir / "taskline.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        rules = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'tasks'"
        ).fetchall()
        for name, _ in rules:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(moved)
        for _, sql in rules:
            db.execute(sql)
        db.execute("COMMIT")


async def upload(ada: Caller, content: bytes, name: str = "a.csv") -> httpx.Response:
    return await ada.post(f"{API}/files", files={"file": (name, content, "text/csv")})


async def kept(ada: Caller, content: bytes, name: str = "a.csv") -> dict[str, Any]:
    answer = await upload(ada, content, name)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def used(ada: Caller) -> int:
    return int((await ada.get(f"{API}/files")).json()["used"])


async def test_what_does_not_fit_is_refused_and_leaves_nothing(ada: Caller) -> None:
    first = await kept(ada, b"x" * MOST)
    problem = refused(await upload(ada, b"x" * (ROOM - MOST + 1)), 429)
    assert "600,000 of the 1,000,000 bytes" in problem["detail"]
    assert "account page" in problem["hint"]
    # A client that does not say how much is coming is cut off where the room ends.
    refused(await ada.post(f"{API}/files", content=in_chunks(ROOM - MOST + 1), headers={"content-type": SPLIT}), 429)
    assert await used(ada) == MOST
    assert (await upload(ada, b"x" * (ROOM - MOST))).status_code == 201
    refused(await upload(ada, b"x"), 429)
    assert (await ada.delete(f"{API}/files/{first['id']}")).status_code == 204
    assert await used(ada) == ROOM - MOST
    assert (await upload(ada, b"x")).status_code == 201


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    yield HEAD
    for at in range(0, size, 50_000):
        yield b"x" * min(50_000, size - at)
    yield b"\r\n--b--\r\n"


async def test_uploads_at_once_share_the_room(ada: Caller) -> None:
    answers = await asyncio.gather(*(upload(ada, b"x" * 300_000) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 3
    assert await used(ada) == 900_000


async def test_a_chain_hands_on_what_its_first_task_made(ada: Caller) -> None:
    before = await kept(ada, b"city,people\nOslo,709037\n", "before.csv")
    after = await kept(ada, b"city,people\nOslo,709037\nBergen,291940\nHamar,32000\n", "after.csv")
    first = await ada.submit(
        {
            "workload": "compare_csv",
            "params": {"before": before["id"], "after": after["id"], "key": "city"},
            "then": {"workload": "csv_profile", "params": {"file": {"$artifact": "added-rows.csv"}}},
        }
    )
    assert (await ada.ended(first))["state"] == "succeeded"

    async def following() -> Any:
        return (await ada.get(f"{first['links']['self']}/chain")).json()["then"]["task_id"]

    await until(following)
    second = await ada.ended({"id": (task := await following()), "links": {"self": f"{API}/tasks/{task}"}})
    assert second["state"] == "succeeded", second
    assert "2 rows" in second["summary"]


async def test_a_result_that_does_not_fit_fails_with_the_reason(ada: Caller) -> None:
    table = await kept(ada, b"city,people\nOslo,709037\n")
    await kept(ada, b"x" * MOST)
    await kept(ada, b"x" * (ROOM - MOST - 100))
    task = await ada.ended(await ada.submit({"workload": "csv_profile", "params": {"file": table["id"]}}))
    assert (task["state"], task["error"]["kind"], task["artifacts"]) == ("failed", "error", [])
    assert "bytes that you have room for" in task["error"]["message"]
    assert "Delete uploads" in task["error"]["hint"]


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=290-", 206, 290, 300),
        ("bytes=-7", 206, 293, 300),
        ("bytes=-1000", 206, 0, 300),
        ("bytes=5-100000", 206, 5, 300),
        ("bytes=300-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=20-10", 200, 0, 300),
        ("bytes=0-1,5-6", 200, 0, 300),
        ("bytes=-", 200, 0, 300),
        ("lines=1-2", 200, 0, 300),
        (f"bytes={'9' * 5000}-", 200, 0, 300),
    ],
)
async def test_ranges(ada: Caller, asked: str, status: int, start: int, end: int) -> None:
    body = bytes(range(200)) + b"y" * 100
    file = await kept(ada, body)
    answer = await ada.get(f"{API}/files/{file['id']}/content", headers={"range": asked})
    assert answer.status_code == status
    assert answer.content == body[start:end]
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/300"
    elif status == 416:
        assert answer.headers["content-range"] == "bytes */300"


async def test_a_download_goes_on_only_with_the_same_file(ada: Caller) -> None:
    file = await kept(ada, b"0123456789")
    at = f"{API}/files/{file['id']}/content"
    whole = await ada.get(at)
    assert whole.headers["etag"] == f'"{file["sha256"]}"'
    assert whole.headers["accept-ranges"] == "bytes"
    for condition, status in ((whole.headers["etag"], 206), (whole.headers["last-modified"], 206), ('"other"', 200)):
        answer = await ada.get(at, headers={"range": "bytes=5-", "if-range": condition})
        assert answer.status_code == status
    assert (await ada.get(at, headers={"if-none-match": whole.headers["etag"]})).status_code == 304
    for asked in ({}, {"range": "bytes=5-"}):  # which is for GET alone
        head = await ada.head(at, headers=asked)
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


@pytest.mark.parametrize(
    ("name", "said", "again"),
    [
        ("a.html", "text/html", "text/html; charset=utf-8"),
        ("a.svg", "image/svg+xml", "image/svg+xml"),
        ("ä;b.js", "text/x, text/html", "application/octet-stream"),
        ("a b", 'text/x; a="b"', "application/octet-stream"),
    ],
)
async def test_names_and_types_start_nothing(ada: Caller, bob: Caller, name: str, said: str, again: str) -> None:
    part = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {said}'
    body = f"--b\r\n{part}\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n"
    answer = await ada.post(f"{API}/files", content=body.encode(), headers={"content-type": SPLIT})
    assert answer.status_code == 201
    at = f"{API}/files/{answer.json()['id']}/content"
    got = await ada.get(at)
    assert got.headers["content-type"] == again
    assert got.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name)}"
    assert got.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cache-control"] == "no-store"
    refused(await bob.get(at), 404)
    refused(await bob.get(at.removesuffix("/content")), 404)
    refused(await bob.delete(at.removesuffix("/content")), 404)


async def test_the_list_of_uploads_comes_in_pages(ada: Caller) -> None:
    made = [(await kept(ada, b"x", f"{number}.csv"))["id"] for number in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await ada.get(f"{API}/files?limit=2{f'&cursor={cursor}' if cursor else ''}")).json()
        seen += [file["id"] for file in page["items"]]
        cursor = page["next"]
    assert seen == made[::-1]
    refused(await ada.get(f"{API}/files?cursor=nonsense"), 422, "cursor")


async def test_a_file_that_a_waiting_task_needs_stays(ada: Caller) -> None:
    file = await kept(ada, b"a,b\n1,2\n")
    at = f"{API}/files/{file['id']}"
    body = {"workload": "csv_profile", "params": {"file": file["id"]}, "run_at": "2999-01-01T00:00:00Z"}
    task = await ada.submit(body)
    assert "needs a.csv" in refused(await ada.delete(at), 409)["detail"]
    page = await ada.post(f"/account/files/{file['id']}/delete", headers={"accept": "text/html"})
    assert (page.status_code, "needs a.csv" in page.text) == (409, True)
    await ada.post(task["links"]["cancel"])
    page = await ada.post(f"/account/files/{file['id']}/delete", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/account#files")
    refused(await ada.get(at), 404)
    refused(await ada.ask(body), 422, "file")


async def test_an_id_in_another_form_is_none(ada: Caller) -> None:
    """What needs a file is found by the text of its id."""
    file = await kept(ada, b"a,b\n1,2\n")
    for text in (file["id"].upper(), file["id"].replace("-", ""), f"{{{file['id']}}}"):
        refused(await ada.ask({"workload": "csv_profile", "params": {"file": text}}), 422, "file")


async def test_pages_say_until_when(ada: Caller, service: Service) -> None:
    file = await kept(ada, b"a,b\n1,2\n", "two.csv")
    task = await ada.ended(await ada.submit({"workload": "csv_profile", "params": {"file": file["id"]}}))
    html = {"accept": "text/html"}
    account = (await ada.get("/account", headers=html)).text
    assert "two.csv" in account
    assert "kept until" in account
    assert "of 1.0 MB" in account
    page = (await ada.get(task["links"]["page"], headers=html)).text
    assert "kept until" in page
    await finished_long_ago(service, task["id"])
    problem = refused(await ada.get(task["artifacts"][0]["url"]), 410)
    assert problem["detail"] == "This file has expired and is gone."
    page = (await ada.get(task["links"]["page"], headers=html)).text
    assert "expired on 31 Jan 2020" in page
    assert task["artifacts"][0]["url"] not in page
    await ada.delete(f"{API}/files/{file['id']}")
    page = (await ada.get(task["links"]["page"], headers=html)).text
    assert "A file that has expired or was deleted" in page
    again = (await ada.get(f"/?again={task['id']}", headers=html)).text
    assert file["id"] not in again


async def test_a_large_file_is_never_whole_in_memory(s3: S3, request: pytest.FixtureRequest) -> None:
    """Neither on its way in nor out: a few pieces are, however large it is."""
    service = Service(
        variables=s3.variables, artifacts_url=s3.create_bucket(f"large-{uuid4()}"), limit_upload=str(1 << 30)
    )
    request.addfinalizer(service.close)
    service.start()
    taken = await measure(service, 128)
    assert taken.up_memory < 64 * MIB
    assert taken.down_memory < 64 * MIB
