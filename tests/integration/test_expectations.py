"""What Home and a task's page say of waiting and running, and the API with them; the worker is a row of the test's, so that nothing moves by itself."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.catalogue import Worker, Workload
from app.resources import Resources
from tests.contracts.task_databases import Tasks
from tests.integration.live_service import Person, Service, running

EXPECT = re.compile(r'<p class="f expect">.*?<span>(.*?)</span></p>')
REST = re.compile(r'data-x="rest">([^<]+)<')


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(tmp_path, limit_waiting=2) as made:
        offered = Workload(
            name="work", version=1, title="Work", description="", mode="async", lane="light", schema={"type": "object"}, limits={}, timeout_s=60,
            max_attempts=3, source="built-in",
        )  # fmt: skip
        await made.resources.catalogue.publish([offered])
        yield made


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


async def expected(client: httpx.AsyncClient) -> str:
    """What the form on Home says."""
    found = EXPECT.search((await client.get("/", headers={"accept": "text/html"})).text)
    assert found
    return found[1]


async def begin(parts: Resources, user: int, *, ran: float) -> Tasks:
    """One worker with one slot, and a task that has succeeded after so many seconds."""
    now = datetime.now(UTC)
    worker = Worker(
        id=uuid4(), host="here", pid=1, version="1", started_at=now, last_seen_at=now, workloads={"work": 1}, slots={"light": 1}
    )  # fmt: skip
    await parts.catalogue.beat(worker)
    tasks = Tasks(parts.db, parts.moves, parts.store, parts.log, worker.id)
    await tasks.submit(user)
    (claim,) = await tasks.claim()
    at = {"at": now - timedelta(seconds=ran), "id": claim.id}
    await parts.db.execute("UPDATE tasks SET started_at = :at WHERE id = :id", at)
    await tasks.end(claim, "succeeded")
    return tasks


async def test_with_no_worker_the_form_says_what_to_start(service: Service, ada: Person) -> None:
    async with service.client(ada) as client:
        assert await expected(client) == "No worker is running. Start one: taskline worker"


async def test_the_form_the_rows_and_the_api_tell_the_same(service: Service, ada: Person) -> None:
    tasks = await begin(service.resources, ada.id, ran=130)
    runs = await tasks.submit(ada.id)
    await tasks.claim()
    waits = await tasks.submit(ada.id)
    async with service.client(ada) as client:
        assert await expected(client) == "Usually takes 2 min. 1 in line before it: starts in about 4 min."
        home = (await client.get("/", headers={"accept": "text/html"})).text
        assert REST.findall(home) == [", starts in about 2 min", ", about 2 min left"]
        for task, rest in ((runs, ", about 2 min left"), (waits, ", starts in about 2 min")):
            page = (await client.get(f"/tasks/{task.id}", headers={"accept": "text/html"})).text
            assert REST.findall(page) == [rest]
        told = (await client.get(f"/api/v1/tasks/{waits.id}")).json()["wait"]
        assert (told["reason"], told["position"]) == ("line", 1)
        assert told["estimate_s"] == pytest.approx(130, abs=15)


async def test_over_the_limit_the_form_says_so_and_a_submit_is_refused_with_the_same_words(
    service: Service, ada: Person
) -> None:
    tasks = await begin(service.resources, ada.id, ran=1)
    for _ in range(2):
        await tasks.submit(ada.id)
    full = "You have 2 tasks waiting, the most at once."
    async with service.client(ada) as client:
        assert full in await expected(client)
        sent = {"workload": "work"}
        refused = await client.post("/tasks", data=sent, headers={"accept": "text/html", "origin": service.origin})
        assert refused.status_code == 429
        assert f"<b>Not started.</b> {full}" in refused.text
        assert (await client.post("/api/v1/tasks", json=sent)).json()["detail"] == full
