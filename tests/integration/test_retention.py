"""What retention forgets while somebody replays it, or follows it live: a reset, never a gap."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.tasks.pruning import Pruning
from tests.contracts import written_events
from tests.integration.live_service import Person, Service, receive, running, seqs

KEPT = timedelta(days=30)
OLD = timedelta(days=31)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    where = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("module_database_url")}
    async with running(tmp_path_factory.mktemp("retention"), **where) as one:
        yield one


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


@pytest.fixture
def pruning(service: Service) -> Pruning:
    return Pruning(service.resources.db, kept=KEPT)


async def commit(service: Service, person: Person, count: int, age: timedelta, *, size: int = 0) -> None:
    """Events that happened so long ago, and of which nobody tells."""
    await written_events.append(service.resources.db, person.id, count, age=age, size=size)


async def test_pruned_during_a_replay(service: Service, ada: Person, pruning: Pruning) -> None:
    """A client reads slowly: what was sent or read for it before comes, then a reset, then what is left."""
    await commit(service, ada, 3000, OLD, size=2000)
    await commit(service, ada, 10, timedelta())
    async with service.connect(ada, "?after=0", max_queue=1) as socket:
        assert (await receive(socket))["seq"] == 3010
        assert await seqs(socket, 5) == [1, 2, 3, 4, 5]
        assert await pruning.events() == 3000
        cursor, resets = 5, 0
        while cursor < 3010:
            frame = await receive(socket)
            if frame["type"] == "reset":
                resets += 1
                assert frame["seq"] == 3010
            else:
                assert frame["seq"] == cursor + 1
            cursor = frame["seq"]
        assert resets == 1
        await service.commit(ada)
        assert await seqs(socket, 1) == [3011]


async def test_pruned_under_a_live_socket(service: Service, ada: Person, pruning: Pruning) -> None:
    """Who has had everything misses nothing."""
    await commit(service, ada, 20, OLD)
    async with service.connect(ada, "?after=20") as socket:
        await receive(socket)
        assert await pruning.events() == 20
        await service.commit(ada)
        await commit(service, ada, 1, timedelta())
        assert await seqs(socket, 2) == [21, 22]


async def test_who_comes_too_late_is_told(service: Service, ada: Person, pruning: Pruning) -> None:
    await commit(service, ada, 5, OLD)
    await commit(service, ada, 2, timedelta())
    assert await pruning.events() == 5
    for after in (0, 4):
        async with service.connect(ada, f"?after={after}") as socket:
            assert (await receive(socket))["type"] == "welcome"
            assert (await receive(socket))["type"] == "reset"
    async with service.connect(ada, "?after=5") as socket:
        await receive(socket)
        assert await seqs(socket, 2) == [6, 7]
    async with service.client(ada) as client:
        for after in (0, 4):
            answer = await client.get(f"/api/v1/events?after={after}")
            assert answer.status_code == 409
            assert "without after" in answer.json()["hint"]
        kept = (await client.get("/api/v1/events")).json()
        assert [event["seq"] for event in kept["items"]] == [6, 7]
