"""A part of the service is away: everybody is told what that means, nobody is told too often, and all goes on by itself when it is back."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any, Final

import httpx
import pytest

from app.ops.parts import PARTS
from tests.integration.people import Listener, Person, listening, person
from tests.integration.processes import Service, taskline
from tests.servers import PostgreSQL, Redis, Server, free_port

HTML: Final = {"accept": "text/html"}
FORM_PAGES: Final = ("/", "/tasks", "/docs", "/tasks/0190b7a4-0000-7000-8000-000000000000")
CALLS: Final = ("/me", "/tasks", "/workloads", "/events", "/tasks/0190b7a4-0000-7000-8000-000000000000")
NOBODY: Final = {"cookie": "taskline=nobody.knows-this"}


@pytest.fixture(scope="module")
def parts() -> Iterator[dict[str, Server]]:
    """Servers of this file alone, to be killed."""
    with (
        closing(PostgreSQL(free_port())) as database,
        closing(Redis(free_port())) as queue,
        closing(Redis(free_port())) as events,
    ):
        made: dict[str, Server] = {"database": database, "queue": queue, "events": events}
        for server in made.values():
            server.launch()
        for server in made.values():
            server.wait_ready()
        yield made


@pytest.fixture(scope="module")
def service(parts: dict[str, Server]) -> Iterator[Service]:
    """A web process and a worker. Neither may log an error, whatever dies."""
    database, queue, events = parts.values()
    assert isinstance(database, PostgreSQL)
    assert isinstance(queue, Redis)
    assert isinstance(events, Redis)
    settings: dict[str, Any] = {
        "database_url": database.create_database("taskline"),
        "queue_url": queue.url,
        "events_url": events.url,
        "secret_key": secrets.token_hex(32),
    }
    taskline("migrate", **settings)
    with closing(Service("serve", **settings)) as web, closing(Service("worker", **settings)) as worker:
        web.start()
        worker.start()
        yield web
        assert web.errors() == ""
        assert worker.errors() == ""


@pytest.fixture
async def ada(service: Service) -> AsyncIterator[Person]:
    async with person(service.url) as one:
        yield one


def status(heard: Listener) -> list[list[str]]:
    return [frame["down"] for frame in heard.frames if frame["type"] == "status"]


@pytest.mark.parametrize("part", list(PARTS))
async def test_who_asks_is_told_of_each_change_and_all_goes_on(
    parts: dict[str, Server], service: Service, ada: Person, part: str
) -> None:
    async with listening(service.url, ada, "?status=1") as page, listening(service.url, ada) as plain:
        await page.until(lambda heard: status(heard) == [[]])
        before = service.said().count(f"the {part} is away")
        await asyncio.to_thread(parts[part].kill)
        try:
            await page.until(lambda heard: status(heard) == [[], [part]])
            ready = await ada.http.get(f"{service.url}/readyz")
            assert ready.status_code == (503 if part == "database" else 200)
            assert ready.json()["ready"] == (part != "database")
            assert {name for name, said in ready.json()["parts"].items() if said != "ok"} == {part}
            assert ready.json()["down"] == {part: {"meanwhile": PARTS[part].meanwhile, "do": PARTS[part].remedy}}
            about = await ada.http.get(f"{service.url}/about", headers={**HTML, **NOBODY})
            assert about.status_code == 200
            assert f"<b>{part.title()}</b>" in about.text
            assert about.text.count("Does not answer") == 1
            assert PARTS[part].remedy in about.text
            if part != "database":
                task = await ada.submit(service.url, "countdown", {"seconds": 0})
                await asyncio.gather(page.until_ended({task["id"]}), plain.until_ended({task["id"]}))
        finally:
            await asyncio.to_thread(parts[part].start)
        await page.until(lambda heard: status(heard) == [[], [part], []])
        task = await ada.submit(service.url, "countdown", {"seconds": 0})
        await asyncio.gather(page.until_ended({task["id"]}), plain.until_ended({task["id"]}))
        assert status(plain) == []
        assert (await ada.http.get(f"{service.url}/readyz")).json()["down"] == {}
        assert service.said().count(f"the {part} is away") == before + 1
        assert f"the {part} answers again" in service.said()


async def test_without_the_database_every_page_and_call_says_when_to_come_back(
    parts: dict[str, Server], service: Service
) -> None:
    # Somebody of whom the process remembers nothing: it has to ask.
    async with person(service.url) as bob, httpx.AsyncClient(base_url=service.url, timeout=20) as http:
        form = {"workload": "countdown", "p.seconds": "0"}
        cookie = {"cookie": bob.cookie}
        await asyncio.to_thread(parts["database"].kill)
        try:
            async with asyncio.timeout(10):  # a session is believed for 5 s
                while (await http.get("/api/v1/me", headers=cookie)).status_code != 503:  # noqa: ASYNC110  nobody tells when it is forgotten
                    await asyncio.sleep(0.2)
            logged = service.said().count("WARNING")
            for path in FORM_PAGES:
                page = await http.get(path, headers={**cookie, **HTML})
                assert (page.status_code, page.headers["retry-after"]) == (503, "5"), path
                assert "Nothing that was accepted is lost" in page.text
                assert '<meta http-equiv="refresh" content="5">' in page.text
            for path in CALLS:
                answer = await http.get(f"/api/v1{path}", headers=cookie)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), path
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
            sent = await http.post("/tasks", data=form, headers={**cookie, **HTML})
            assert (sent.status_code, sent.headers["retry-after"]) == (503, "5")
            assert "what you typed is still there" in sent.text
            for path in ("/login", "/signup"):
                sent = await http.post(path, data={"username": "carol", "password": "a long walk"}, headers=HTML)
                assert (sent.status_code, sent.headers["retry-after"]) == (503, "5"), path
            for path in ("/login", "/signup", "/healthz", "/about"):
                assert (await http.get(path, headers=HTML)).status_code == 200, path
            upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
            key = {"sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==", "origin": service.url}
            refused = await http.get("/ws", headers={**cookie, **upgrade, **key})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert service.said().count("WARNING") == logged, "what the monitor has said is not said again a request"
        finally:
            await asyncio.to_thread(parts["database"].start)
        task = await bob.submit(service.url, "countdown", {"seconds": 0})
        assert task["state"] == "queued"
