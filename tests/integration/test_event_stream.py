"""Events over plain HTTP: the stream of server-sent events, and pages of the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from tests.integration.live_service import Person, Service, receive, running


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with running(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


@contextlib.asynccontextmanager
async def stream(
    service: Service, person: Person, query: str = "", **headers: str
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """The events of a stream, each as its fields."""
    async with (
        service.client(person, timeout=10) as client,
        client.stream("GET", f"/api/v1/events/stream{query}", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "data" in fields:
                yield fields
            fields = {}


async def test_the_stream_has_the_same_frames_and_resumes(service: Service, ada: Person) -> None:
    frames = await service.commit(ada, 3)
    epoch = service.resources.hub.epoch
    async with stream(service, ada, "?after=1") as events:
        welcome = await anext(events)
        assert orjson.loads(welcome["data"])["type"] == "welcome"
        assert "id" not in welcome  # a client that broke off here would skip what it has not had
        assert await anext(events) == {"id": f"2@{epoch}", "data": frames[1].text}
        last = await anext(events)
    fresh = await service.commit(ada)
    async with stream(service, ada, **{"Last-Event-ID": last["id"]}) as events:
        await anext(events)
        assert await anext(events) == {"id": f"4@{epoch}", "data": fresh[0].text}
    async with stream(service, ada, **{"Last-Event-ID": "4@another"}) as events:
        await anext(events)
        assert orjson.loads((await anext(events))["data"])["type"] == "reset"


async def test_a_client_that_forgot_the_epoch_is_believed(service: Service, ada: Person) -> None:
    frames = await service.commit(ada, 2)
    async with stream(service, ada, **{"Last-Event-ID": "1"}) as events:
        await anext(events)
        assert (await anext(events))["data"] == frames[1].text
    async with service.client(ada) as client:
        answer = await client.get("/api/v1/events/stream", headers={"Last-Event-ID": "one"})
        assert answer.status_code == 422


async def test_asking_for_the_headers_alone_ends(service: Service, ada: Person) -> None:
    async with service.client(ada) as client:
        answer = await client.head("/api/v1/events/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_stream_ends_with_its_session_and_counts_as_a_socket(service: Service, ada: Person) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(9):
            await receive(await stack.enter_async_context(service.connect(ada)))
        async with stream(service, ada) as events:
            await anext(events)
            async with service.client(ada) as client:
                assert (await client.get("/api/v1/events/stream")).status_code == 429
                await client.delete("/api/v1/session")
            async with asyncio.timeout(5):
                assert [event async for event in events] == []
    async with service.client(ada) as client:
        assert (await client.get("/api/v1/events/stream")).status_code == 401


async def test_pages_of_the_log(service: Service, ada: Person) -> None:
    frames = await service.commit(ada, 5)
    async with service.client(ada) as client:
        first = (await client.get("/api/v1/events?limit=2")).json()
        assert first == {
            "epoch": service.resources.hub.epoch,
            "items": [orjson.loads(frame.text) for frame in frames[:2]],
            "next": 2,
        }
        last = (await client.get("/api/v1/events?after=3&limit=2")).json()
        assert [item["seq"] for item in last["items"]] == [4, 5]
        assert last["next"] is None
        assert (await client.get("/api/v1/events?after=5")).json()["items"] == []
        assert (await client.get("/api/v1/events?after=6")).status_code == 409
        assert (await client.get("/api/v1/events?after=-1")).status_code == 422
        await service.prune(ada, 2)
        assert (await client.get("/api/v1/events?after=1")).status_code == 409
    async with service.client() as client:
        assert (await client.get("/api/v1/events")).status_code == 401
