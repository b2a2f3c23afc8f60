"""Why a task waits, as its owner reads it, in services that lack what it waits for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.integration.processes import Service, taskline
from tests.integration.rest import COUNTDOWN, Caller, Json, caller, refused, until
from tests.servers import PostgreSQL, free_port

ROOT: Final = Path(__file__).parents[2]
LONG: Final = {"workload": "countdown", "params": {"seconds": 3600}}


@contextmanager
def running(service: Service) -> Iterator[Service]:
    try:
        service.start()
        yield service
    finally:
        service.close()


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> str:
    """The module of the sample workloads, where services find it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return "tests.integration.samples"


async def wait_of(ada: Caller, task: Json) -> Json:
    wait = (await ada.task(task))["wait"]
    assert isinstance(wait, dict)
    assert wait["message"]
    return wait


async def waits_for(ada: Caller, task: Json, reason: str) -> Json:
    """The wait, once it has that reason: who works is known to the web process up to two seconds late."""

    async def is_said() -> bool:
        return bool((await wait_of(ada, task))["reason"] == reason)

    await until(is_said)
    return await wait_of(ada, task)


async def test_in_line_by_priority_then_by_age() -> None:
    with running(Service(light_slots="1")) as service:
        async with caller(service) as ada, caller(service) as bob:
            await ada.until(await ada.submit(LONG), "task.started")
            first, second = await bob.submit(), await ada.submit()
            await waits_for(bob, first, "line")
            assert [await _place(bob, first), await _place(ada, second)] == [("line", 1), ("line", 2)]
            urgent = await bob.submit(priority=5)
            assert [await _place(bob, urgent), await _place(bob, first), await _place(ada, second)] == [
                ("line", 1),
                ("line", 2),
                ("line", 3),
            ]
            assert (await bob.post(urgent["links"]["cancel"])).json()["wait"] is None
            assert await _place(ada, second) == ("line", 2)


async def _place(ada: Caller, task: Json) -> tuple[str, int]:
    wait = await wait_of(ada, task)
    return wait["reason"], wait["position"]


async def test_for_the_next_attempt(samples: str) -> None:
    with running(Service(workloads=samples)) as service:
        async with caller(service) as ada:
            task = await ada.submit({"workload": "later", "params": {"after": 600}})
            again = await ada.until(task, "task.retrying")
            assert (again["state"], again["attempt"], again["error"]["message"]) == ("queued", 1, "Not now")
            assert "Attempt 1 of 3" in (await waits_for(ada, task, "retry"))["message"]


async def test_for_a_worker_that_knows_the_work(samples: str, tmp_path: Path) -> None:
    with running(Service(workloads=samples, data_dir=str(tmp_path))) as service:
        async with caller(service) as ada:
            assert (await ada.submit({"workload": "fails"}))["state"] == "queued"
        await asyncio.to_thread(service.stop)  # its worker leaves in good order
    with running(Service(data_dir=str(tmp_path))) as service:
        async with caller(service) as ada:
            task = await ada.submit({"workload": "fails"})
            assert "fails" in (await waits_for(ada, task, "no_capable_worker"))["message"]
            assert (await ada.ended(await ada.submit()))["state"] == "succeeded"
            assert (await wait_of(ada, task))["reason"] == "no_capable_worker"


async def test_for_any_worker(fresh_database_url: str) -> None:
    taskline("migrate", database_url=fresh_database_url)
    with running(Service("serve", database_url=fresh_database_url)) as service:
        async with caller(service) as ada:
            assert "taskline worker" in (await waits_for(ada, await ada.submit(), "no_worker"))["message"]


async def test_for_the_broker_while_it_is_down() -> None:
    with running(Service(light_slots="1", queue_url=f"redis://127.0.0.1:{free_port()}")) as service:
        async with caller(service) as ada:
            # Workers look by themselves meanwhile, so the work goes on.
            await ada.until(await ada.submit(LONG), "task.started")
            await waits_for(ada, await ada.submit(), "broker_down")
            ready = await ada.get("/readyz")
            assert (ready.status_code, ready.json()["ready"]) == (200, True)
            assert ready.json()["parts"]["queue"] != "ok"


async def test_without_the_database_nothing_is_accepted_and_then_all_goes_on(
    postgresql: PostgreSQL, fresh_database_url: str
) -> None:
    with running(Service(database_url=fresh_database_url)) as service:
        async with caller(service) as ada:
            await ada.ended(await ada.submit())
            await asyncio.to_thread(postgresql.stop)
            try:
                ready = await ada.get("/readyz")
                assert (ready.status_code, ready.json()["ready"]) == (503, False)
                assert (await ada.get("/healthz")).status_code == 200
                answer = await ada.ask(COUNTDOWN, key="a key")
                refused(answer, 503)
                assert int(answer.headers["retry-after"]) > 0
            finally:
                await asyncio.to_thread(postgresql.start)

            async def is_back() -> bool:
                return bool((await ada.get("/readyz")).status_code == 200)

            await until(is_back)
            task = await ada.submit(key="a key")
            assert (await ada.ended(task))["state"] == "succeeded"
            assert (await ada.submit(key="a key"))["id"] == task["id"]
