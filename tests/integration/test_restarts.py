"""What is under way when a process stops, or dies, is finished afterwards; nobody misses anything."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.people import check_history, listening, person
from tests.integration.processes import Service, taskline


@pytest.fixture
def dev() -> Iterator[Service]:
    """Everything in one process, with room for two tasks at once."""
    service = Service(light_slots="2", drain_seconds="0.2")
    service.start()
    yield service
    service.close()


@pytest.mark.parametrize("end", [Service.stop, Service.kill], ids=["stopped", "killed"])
async def test_the_embedded_service_finishes_what_it_had_when_it_starts_again(
    dev: Service, end: Callable[[Service], None]
) -> None:
    async with person(dev.url) as ada:
        async with listening(dev.url, ada) as before:
            tasks = {(await ada.submit(dev.url, "countdown", {"seconds": 2}))["id"] for _ in range(5)}
            await before.until(lambda self: sum(e["type"] == "task.started" for e in self.events) == 2)
            await asyncio.to_thread(end, dev)
        await asyncio.to_thread(dev.start)
        async with listening(dev.url, ada, "?after=0") as after:
            await after.until_ended(tasks)
            check_history(after.events, tasks)
            assert {event["task"]["state"] for event in after.events if event["task"]["finished_at"]} == {"succeeded"}
            assert after.events[: len(before.events)] == before.events, "the past does not change"


async def test_a_second_process_on_the_same_file_leaves_running_tasks_alone(dev: Service) -> None:
    async with person(dev.url) as ada, listening(dev.url, ada) as heard:
        task = (await ada.submit(dev.url, "countdown", {"seconds": 4}))["id"]
        await heard.until(lambda self: any(e["type"] == "task.started" for e in self.events))
        second = Service(data_dir=str(dev.data_dir))
        try:
            await asyncio.to_thread(second.start)
            await heard.until_ended({task})
        finally:
            await asyncio.to_thread(second.close)
        assert [event["type"] for event in heard.events] == ["task.queued", "task.started", "task.succeeded"]


@pytest.fixture
def shared(fresh_database_url: str, amqp_url: str, redis_url: str, tmp_path: Path) -> dict[str, Any]:
    """Settings of processes on the real servers, migrated."""
    settings: dict[str, Any] = {
        "database_url": fresh_database_url,
        "queue_url": amqp_url,
        "events_url": redis_url,
        "data_dir": str(tmp_path),
        "deployment": f"t{abs(hash(tmp_path)) % 10**9}",
        "secret_key": "k" * 40,
    }
    taskline("migrate", **settings)
    return settings


async def test_a_killed_workers_task_starts_anew_on_another(shared: dict[str, Any]) -> None:
    web, dying, living = (Service(command, port=None, **shared) for command in ("serve", "worker", "worker"))
    try:
        for service in (web, dying):
            await asyncio.to_thread(service.start)
        async with person(web.url) as ada, listening(web.url, ada) as heard:
            task = (await ada.submit(web.url, "countdown", {"seconds": 1}, name="Short"))["id"]
            await heard.until(lambda self: any(e["type"] == "task.started" for e in self.events))
            await asyncio.to_thread(dying.kill)
            await asyncio.to_thread(living.start)
            # Its lease ends, a sweep comes, a backoff of up to 2 s passes.
            await heard.until_ended({task})
            check_history(heard.events, {task})
            assert [event["type"] for event in heard.events][-3:] == ["task.retrying", "task.started", "task.succeeded"]
            assert heard.events[-1]["task"]["attempt"] == 2
    finally:
        for service in (web, dying, living):
            await asyncio.to_thread(service.close)


async def test_a_rolling_restart_under_load_loses_nothing(shared: dict[str, Any]) -> None:
    webs = [Service("serve", port=None, **shared) for _ in range(2)]
    workers = [Service("worker", port=None, drain_seconds="0.2", **shared) for _ in range(2)]
    everything = [*webs, *workers]
    try:
        for service in everything:
            await asyncio.to_thread(service.start)
        async with person(webs[0].url) as ada:
            tasks: set[str] = set()

            async def load(web: Service, seconds: float) -> None:
                for _ in range(30):
                    tasks.add((await ada.submit(web.url, "countdown", {"seconds": seconds}))["id"])

            for restarted, (other, seconds) in zip(
                everything, [(webs[1], 0), (webs[0], 0), (webs[0], 0.5), (webs[1], 0.5)], strict=True
            ):
                loading = asyncio.create_task(load(other, seconds))
                await asyncio.to_thread(restarted.restart)
                await loading
            async with listening(webs[1].url, ada, "?after=0") as heard:
                await heard.until_ended(tasks)
                check_history(heard.events, tasks)
                assert all(event["type"] != "task.failed" for event in heard.events)
    finally:
        for service in everything:
            await asyncio.to_thread(service.close)
