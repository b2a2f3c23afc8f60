"""The same story on every combination of backends: two people, each hears of exactly their own tasks, every event once, in order.

Where a part lives in the process, everything runs in one; else two web and two worker processes share real servers.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.integration.people import check_history, listening, person
from tests.integration.processes import Service, taskline

CSV = "name,price,bought\n" + "\n".join(f"thing {n},{n % 97 / 7:.2f},2026-0{1 + n % 9}-11" for n in range(2000)) + "\n"


@dataclass
class Deployment:
    """What runs: the addresses of its web processes, and every process."""

    webs: list[str]
    services: list[Service] = field(default_factory=list)


def deploy(
    stack: contextlib.ExitStack, *, queue: str, events: str, database: str, folder: Path, deployment: str
) -> Deployment:
    """Start the processes that the combination can span."""
    settings: dict[str, Any] = {
        "queue_url": queue,
        "events_url": events,
        "database_url": database,
        "artifacts_url": (folder / "files").as_uri(),
        "data_dir": str(folder),
        "deployment": deployment,
        "secret_key": "k" * 40,
    }
    spans = not (queue.startswith("memory") or events.startswith("memory"))
    commands: list[Literal["dev", "serve", "worker"]] = ["serve", "serve", "worker", "worker"] if spans else ["dev"]
    if spans:
        taskline("migrate", **settings)
    services = [Service(command, port=None, **settings) for command in commands]
    for service in services:
        stack.callback(service.close)
        service.launch()
    for service in services:
        service.wait_ready()
    webs = [service.url for service, command in zip(services, commands, strict=True) if command != "worker"]
    return Deployment(webs, services)


@pytest.fixture(params=["memory", "amqp", "redis"])
def queue(request: pytest.FixtureRequest) -> str:
    """A queue's URL."""
    fixtures = {"amqp": "amqp_url", "redis": "redis_url"}
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(fixtures[request.param]))


@pytest.fixture(params=["memory", "redis"])
def events(request: pytest.FixtureRequest) -> str:
    """The URL of the events' broker."""
    return "memory://" if request.param == "memory" else str(request.getfixturevalue("redis_url"))


@pytest.fixture
def deployment(queue: str, events: str, database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    with contextlib.ExitStack() as stack:
        name = f"t{abs(hash(tmp_path)) % 10**9}"
        yield deploy(stack, queue=queue, events=events, database=database_url, folder=tmp_path, deployment=name)


async def test_each_hears_of_exactly_their_own_tasks(deployment: Deployment) -> None:
    first, last = deployment.webs[0], deployment.webs[-1]
    async with person(first) as ada, person(last) as eve:
        async with (
            listening(first, ada) as here,
            listening(last, ada) as there,
            listening(last, eve) as other,
        ):
            of_eve = {(await eve.submit(last, "countdown", {"seconds": 0}))["id"] for _ in range(5)}
            made = await asyncio.gather(*(ada.submit(web, "countdown", {"seconds": 0}) for web in (first, last) * 10))
            tasks = {task["id"] for task in made}

            slow = (await ada.submit(first, "countdown", {"seconds": 2}, name="Slow"))["id"]
            failing = (await ada.submit(last, "countdown", {"seconds": 0, "fail": True}))["id"]
            endless = (await ada.submit(first, "countdown", {"seconds": 3600}))["id"]
            file_id = await ada.upload(last, "things.csv", CSV.encode())
            profile = (await ada.submit(first, "csv_profile", {"file": file_id}))["id"]
            tasks |= {slow, failing, endless, profile}

            await here.until(
                lambda self: any(f["type"] == "task.progress" and f["task_id"] == endless for f in self.frames)
            )
            cancelled = await ada.post(last, f"/tasks/{endless}/cancel")
            assert cancelled["cancel_requested_at"]
            await there.until_ended({failing})
            again = await ada.post(first, f"/tasks/{failing}/retry", params={"seconds": 0})
            assert again["retry_of"] == failing
            tasks.add(again["id"])

            for listener in (here, there):
                await listener.until_ended(tasks)
                check_history(listener.events, tasks)
            await other.until_ended(of_eve)
            check_history(other.events, of_eve)
            assert here.events == there.events

        ends = {event["task"]["id"]: event["task"]["state"] for event in here.events}
        assert ends[failing] == "failed"
        assert ends[endless] == "cancelled"
        assert {ends[task] for task in tasks - {failing, endless}} == {"succeeded"}
        assert all(frame["task_id"] in tasks for frame in here.frames if frame["type"] == "task.progress")

        found = await ada.task(last, profile)
        assert "2,000 rows" in found["summary"]
        assert {item["name"] for item in found["artifacts"]} == {"report.html", "profile.json"}
        for item in found["artifacts"]:
            answer = await ada.http.get(first + item["url"])
            assert len(answer.content) == item["size"]
            assert (await eve.http.get(first + item["url"])).status_code == 404

        async with listening(last, ada, "?after=0") as late:
            await late.until_ended(tasks)
            assert late.events == here.events, "the whole history again"
