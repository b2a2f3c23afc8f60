"""How a page hears what its person has read: frames of the websocket for those that ask, and the page itself."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from tests.contracts.task_databases import draft
from tests.integration.live_service import Person, Service, receive, running

PAGE = {"accept": "text/html"}


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with running(tmp_path_factory.mktemp("notifications")) as one:
        yield one


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


async def ended(service: Service, person: Person, name: str = "Work") -> UUID:
    """A task that was cancelled while it waited: events of which each second one is an end."""
    made = draft(person.id, name=name)
    await service.resources.moves.submit([made])
    await service.resources.moves.cancel(person.id, [made.id])
    return made.id


async def told(socket: ClientConnection) -> dict[str, Any]:
    """The next frame that says how far its person has read; others are passed over."""
    while (frame := await receive(socket))["type"] != "read":
        pass
    return frame


async def mark(client: httpx.AsyncClient, seq: int) -> None:
    answer = await client.post("/notifications/read", data={"seq": str(seq)}, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/notifications")


async def test_who_asks_is_told_after_the_welcome(service: Service, ada: Person) -> None:
    await ended(service, ada)
    async with service.connect(ada, "?read=1") as socket:
        assert (await receive(socket))["type"] == "welcome"
        assert await receive(socket) == {"type": "read", "seq": 0, "head": 2, "unread": 1, "muted": []}


async def test_who_does_not_ask_is_not_told(service: Service, ada: Person) -> None:
    async with service.connect(ada) as socket, service.client(ada) as client:
        assert (await receive(socket))["type"] == "welcome"
        await ended(service, ada)
        await mark(client, 2)
        await socket.send('{"type":"ping"}')
        kinds = []
        while "pong" not in kinds:
            kinds.append((await receive(socket))["type"])
        assert "read" not in kinds


async def test_what_one_page_marks_all_others_of_the_person_hear(service: Service, ada: Person) -> None:
    eve = await service.person()
    await ended(service, ada)
    await ended(service, ada)
    await ended(service, eve)
    async with (
        service.connect(ada, "?read=1") as first,
        service.connect(ada, "?read=1") as second,
        service.connect(eve, "?read=1") as other,
        service.client(ada) as client,
    ):
        for socket in (first, second, other):
            await told(socket)
        await mark(client, 2)
        assert (
            await told(first) == await told(second) == {"type": "read", "seq": 2, "head": 4, "unread": 1, "muted": []}
        )
        await other.send('{"type":"ping"}')
        assert (await receive(other))["type"] == "pong"
    assert (await service.resources.notifications.reading(eve.id)).unread == 1


async def test_what_is_muted_and_what_is_deleted_is_told_too(service: Service, ada: Person) -> None:
    gone = await ended(service, ada)
    await service.resources.notifications.mute(ada.id, "noise")
    async with service.connect(ada, "?read=1") as socket, service.client(ada) as client:
        assert (await told(socket))["unread"] == 1
        answer = await client.post("/notifications/unmute", data={"workload": "noise"}, headers=PAGE)
        assert answer.status_code == 303
        assert (await told(socket))["muted"] == []
        await service.resources.tasks.delete(ada.id, gone)
        assert await told(socket) == {"type": "read", "seq": 0, "head": 3, "unread": 0, "muted": []}


async def test_after_a_reset_it_is_told_anew(service: Service, ada: Person) -> None:
    await ended(service, ada)
    async with service.connect(ada, "?read=1&after=99") as socket:
        kinds = [(await receive(socket))["type"] for _ in range(3)]
        assert kinds[0] == "welcome"
        assert "reset" in kinds
        if kinds[-1] != "read":
            assert (await told(socket))["unread"] == 1


async def test_the_page_shows_ones_own_and_marks_them(service: Service, ada: Person) -> None:
    eve = await service.person()
    await ended(service, ada, "Autumn <b>")
    await ended(service, eve, "Hers alone")
    async with service.client(ada) as client:
        client.headers.update(PAGE)
        page = (await client.get("/notifications")).text
        assert "Autumn &lt;b&gt; was cancelled" in page
        assert "Hers alone" not in page
        assert 'aria-label="Notifications, 1 unread"' in page
        await mark(client, 2)
        page = (await client.get("/notifications")).text
        assert "All caught up" in page
        assert 'aria-label="Notifications"' in page
        assert "Autumn &lt;b&gt; was cancelled" in (await client.get("/notifications?show=all")).text


@pytest.mark.parametrize("seq", ["", "x", "-1", "9" * 19])
async def test_a_mark_that_is_no_number_is_refused(service: Service, ada: Person, seq: str) -> None:
    async with service.client(ada) as client:
        answer = await client.post("/notifications/read", data={"seq": seq})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["seq"]


async def test_without_a_session_nothing_is_shown_or_marked(service: Service) -> None:
    async with service.client() as client:
        assert (await client.get("/notifications")).status_code == 401
        assert (await client.post("/notifications/read", data={"seq": "1"})).status_code == 401
        page = await client.get("/notifications", headers=PAGE)
        assert (page.status_code, page.headers["location"]) == (303, "/login?next=/notifications")


async def test_what_nobody_has_heard_of_cannot_be_muted(service: Service, ada: Person) -> None:
    async with service.client(ada) as client:
        assert (await client.post("/notifications/mute", data={"workload": "nothing"})).status_code == 404
    assert (await service.resources.notifications.reading(ada.id)).muted == ()


async def test_programs_can_do_what_the_page_does(service: Service, ada: Person) -> None:
    first, second = await ended(service, ada), await ended(service, ada)
    async with service.client(ada) as client:
        page = (await client.get("/api/v1/notifications", params={"limit": 1})).json()
        assert [(one["seq"], one["unread"], one["task"]["id"]) for one in page["items"]] == [(4, True, str(second))]
        rest = (await client.get("/api/v1/notifications", params={"before": page["next"]})).json()
        assert [one["task"]["id"] for one in rest["items"]] == [str(first)]
        assert rest["next"] is None
        marked = await client.post("/api/v1/notifications/read", json={"seq": 2})
        assert marked.json() == {"seq": 2, "head": 4, "unread": 1, "muted": []}
        unread = (await client.get("/api/v1/notifications?unread=1")).json()
        assert [one["seq"] for one in unread["items"]] == [4]
        assert (await client.put("/api/v1/notifications/muted/nothing")).status_code == 404
        assert (await client.delete("/api/v1/notifications/muted/nothing")).json() == marked.json()
        for wrong in ({}, {"seq": -1}, {"seq": "2"}, {"seq": True}, {"seq": 2**63}, {"seq": 2, "more": 1}):
            assert (await client.post("/api/v1/notifications/read", json=wrong)).status_code == 422
