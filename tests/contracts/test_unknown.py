"""Tasks of a workload that no worker knows fail after a day, and no others do; tasks of a former name are run under the present one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from app.catalogue import Catalogue, Worker, Workload
from app.tasks.model import Event, TaskFilter
from app.tasks.pauses import Pauses
from tests.contracts.task_databases import Tasks
from workers.unknown import UnknownWorkloads

DAY = timedelta(days=1)
NEWS = Workload(
    name="news",
    version=2,
    title="News",
    description="",
    mode="loop",
    lane="light",
    schema={},
    limits={},
    timeout_s=60,
    max_attempts=3,
    source="press:news",
)
_users = count(9_000)


class Told:
    """An outbox that only remembers."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def committed(self, events: list[Event]) -> None:
        self.types += [event.type for event in events]


async def unheard() -> None:
    """No worker listens."""


class Day:
    """A worker's look-out on a clock of its own."""

    def __init__(self, tasks: Tasks) -> None:
        self.now = 0.0
        self.catalogue = Catalogue(tasks.db, alive=3600, clock=lambda: self.now)
        self.told = Told()
        self.pauses = Pauses(tasks.db, self.catalogue, signal=unheard, clock=lambda: self.now)
        self.unknown = UnknownWorkloads(
            worker_id=tasks.worker,
            db=tasks.db,
            catalogue=self.catalogue,
            moves=tasks.moves,
            outbox=self.told,  # type: ignore[arg-type]
            pauses=self.pauses,
            after=DAY,
            clock=lambda: self.now,
        )

    async def looks(self, *hours: float) -> int:
        failed = 0
        for hour in hours:
            self.now = hour * 3600
            failed += await self.unknown.look()
        return failed


def worker(**workloads: int) -> Worker:
    now = datetime.now(UTC)
    return Worker(
        id=uuid4(), host="here", pid=1, version="1", started_at=now, last_seen_at=now, workloads=workloads, slots={}
    )


@pytest.fixture
async def day(tasks: Tasks) -> Day:
    await tasks.db.execute("DELETE FROM tasks")
    await tasks.db.execute("DELETE FROM workers")
    await tasks.db.execute("DELETE FROM workloads")
    await tasks.db.execute("DELETE FROM paused_workloads")
    return Day(tasks)


async def test_what_no_worker_has_known_for_a_day_fails_and_says_what_is_missing(tasks: Tasks, day: Day) -> None:
    user = await tasks.user(next(_users))
    await day.catalogue.publish([NEWS])
    await day.catalogue.beat(worker(work=1))
    old = await tasks.submit(user, workload="news", version=1)
    mine = await tasks.submit(user)
    later = await tasks.submit(user, workload="news", run_at=datetime.now(UTC) + timedelta(hours=1))
    assert await day.looks(0, 1, 23.9) == 0
    assert await day.looks(24) == 1
    failed = await tasks.store.get(user, old.id)
    assert failed.state == "failed"
    assert failed.error == {
        "kind": "error",
        "message": "No worker has known the workload news for 24 hours.",
        "hint": "Ask an administrator to install the plug-in press where a worker runs. Then start the task again.",
    }
    assert day.told.types == ["task.started", "task.failed"]
    assert (await tasks.store.get(user, mine.id)).state == "queued"
    assert (await tasks.store.get(user, later.id)).state == "queued"
    assert await day.looks(25) == 0


async def test_a_worker_that_was_seen_meanwhile_starts_the_day_again(tasks: Tasks, day: Day) -> None:
    user = await tasks.user(next(_users))
    task = await tasks.submit(user, workload="news")
    assert await day.looks(0, 12) == 0
    knows = worker(news=1)
    await day.catalogue.beat(knows)
    assert await day.looks(23) == 0
    await day.catalogue.leave(knows.id)
    assert await day.looks(25, 48) == 0
    assert (await tasks.store.get(user, task.id)).state == "queued"
    assert await day.looks(49) == 1
    error = (await tasks.store.get(user, task.id)).error
    assert error
    assert "install the plug-in that brings it" in error["hint"]


async def test_a_version_that_was_taken_back_fails_and_older_ones_wait_on(tasks: Tasks, day: Day) -> None:
    user = await tasks.user(next(_users))
    await day.catalogue.beat(worker(news=2))
    older = await tasks.submit(user, workload="news", version=2)
    newer = await tasks.submit(user, workload="news", version=3)
    assert await day.looks(0, 24) == 1
    assert (await tasks.store.get(user, older.id)).state == "queued"
    failed = await tasks.store.get(user, newer.id)
    assert failed.error
    assert failed.error["message"] == (
        "No worker has known version 3 of news for 24 hours; those that run know version 2."
    )


async def test_what_is_paused_waits_for_whoever_paused_it(tasks: Tasks, day: Day) -> None:
    user = await tasks.user(next(_users))
    await day.catalogue.publish([NEWS])
    await day.catalogue.beat(worker(work=1))
    task = await tasks.submit(user, workload="news")
    await day.pauses.pause("news", operator=user)
    assert await day.looks(0, 12, 48) == 0
    await day.pauses.resume("news", operator=user)
    assert await day.looks(49, 72) == 0, "its whole day begins then"
    assert (await tasks.store.get(user, task.id)).state == "queued"
    assert await day.looks(73) == 1


async def test_more_than_one_piece_fails_in_one_look(tasks: Tasks, day: Day) -> None:
    user = await tasks.user(next(_users))
    await day.catalogue.beat(worker(work=1))
    for _ in range(103):
        await tasks.submit(user, workload="gone")
    assert await day.looks(0, 24) == 103
    page = await tasks.store.page(user, TaskFilter(), 200)
    assert {task.state for task in page.items} == {"failed"}


async def test_a_former_name_stands_for_the_present_one(tasks: Tasks, day: Day) -> None:
    catalogue = day.catalogue
    await catalogue.publish([NEWS])
    assert await catalogue.get("press") is None
    paper = replace(NEWS, name="paper", aliases=("news", "press"))
    await catalogue.publish([paper])
    assert await catalogue.all() == [paper]
    assert [await catalogue.get(name) for name in ("paper", "news", "press")] == [paper] * 3
    assert await catalogue.get("nothing") is None


async def test_a_name_in_use_is_no_former_name(day: Day) -> None:
    paper = replace(NEWS, name="paper", aliases=("news",))
    await day.catalogue.publish([NEWS, paper])
    assert await day.catalogue.get("news") == NEWS
