"""Whatever workers do at once, a time of a schedule starts one task at most, and so does the success of a task; and each that starts nothing says why."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.catalogue import Workload
from app.migrate import upgrade
from app.resources import Resources, open_resources
from app.schedules.commands import Plan
from app.schedules.firing import Firing
from app.schedules.model import Missed, Phase, Schedule
from app.settings import Settings
from app.tasks.commands import Submission
from app.tasks.model import Ending, Task, TaskFilter
from tests.contracts.task_databases import draft
from workers.chainer import Chainer
from workers.scheduler import Scheduler

WORKERS = 3
MOST_WAITING = 20  # tasks of a user
HOUR = timedelta(hours=1)
WORK = Workload(
    name="work",
    version=1,
    title="Work",
    description="",
    mode="loop",
    lane="light",
    schema={
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": {"type": "integer"},
            "label": {"type": "string"},
            "file": {"type": "string", "format": "taskline-file"},
        },
        "additionalProperties": False,
    },
    limits={},
    timeout_s=60,
    max_attempts=3,
    source="built-in",
)


@dataclass(frozen=True, slots=True)
class Site:
    """A database with several workers' parts on it."""

    workers: list[Resources]

    @property
    def one(self) -> Resources:
        return self.workers[0]

    async def user(self) -> int:
        user = await self.one.accounts.sign_up(f"user-{uuid4().hex[:12]}", "a long walk at night")
        return user.id

    async def schedule(self, user_id: int, **plan: Any) -> Schedule:
        return await self.one.schedules.create(user_id, Plan(**{"workload": "work", "params": {"n": 1}, **plan}))

    async def overdue(self, user_id: int, by: timedelta, **plan: Any) -> Schedule:
        """A schedule whose time came so long ago. None of its other times comes while the test runs."""
        other = datetime.now(UTC) + timedelta(minutes=30)
        made = await self.schedule(user_id, **{"cron": f"{other.minute} * * * *", **plan})
        return await self.since(made, datetime.now(UTC) - by)

    async def since(self, schedule: Schedule, due: datetime) -> Schedule:
        sql = "UPDATE schedules SET next_at = :due WHERE id = :id"
        await self.one.db.execute(sql, {"due": due, "id": schedule.id})
        return await self.one.schedule_store.get(schedule.user_id, schedule.id)

    async def look(self) -> None:
        """All workers look for schedules at once."""
        schedulers = [Scheduler(w.schedule_store, Firing(w.schedule_store, w.tasks), every=1) for w in self.workers]
        await asyncio.gather(*(one.look() for one in schedulers))

    async def bring_on(self) -> None:
        """All workers look for what follows on tasks at once."""
        await asyncio.gather(*(chainer_of(worker).look() for worker in self.workers))

    async def tasks(self, user_id: int) -> list[Task]:
        page = await self.one.store.page(user_id, TaskFilter(), 200)
        return [await self.one.store.get(user_id, task.id) for task in page.items]

    async def chained(self, user_id: int, **then: Any) -> Task:
        """A task on which another follows."""
        plan = {"workload": "work", **then}
        accepted = await self.one.tasks.submit(user_id, Submission(workload="work", params={"n": 0}, then=plan))
        return await self.one.store.get(user_id, accepted.id)

    async def end(self, task: Task, verdict: str = "succeeded", **ending: Any) -> None:
        claims = await self.one.moves.claim(uuid4(), "light", {"work": 1}, 1_000)
        for claim in claims:
            how = verdict if claim.id == task.id else "released"
            made = Ending(id=claim.id, attempt=claim.attempt, token=claim.token, verdict=how, **ending)  # type: ignore[arg-type]
            await self.one.moves.finish([made])


def chainer_of(worker: Resources) -> Chainer:
    return Chainer(worker.chains, worker.store, worker.tasks, worker.files, lease=10, every=1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    url = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("module_database_url")}
    settings = Settings.from_environment(
        {}, data_dir=folder, limit_sign_ups="1000/minute", limit_waiting=MOST_WAITING, database_pool=4, **url
    )
    await upgrade(settings.database_url)
    async with contextlib.AsyncExitStack() as stack:
        made = Site([await stack.enter_async_context(open_resources(settings)) for _ in range(WORKERS)])
        await made.one.catalogue.publish([WORK])
        yield made


async def test_a_time_that_all_workers_see_starts_one_task(site: Site) -> None:
    ada = await site.user()
    made = [await site.overdue(ada, timedelta(seconds=1), name=f"number {n}") for n in range(8)]
    await site.look()
    assert sorted(task.name for task in await site.tasks(ada)) == [one.name for one in made]
    await site.look()
    assert len(await site.tasks(ada)) == len(made)
    for one in made:
        schedule, run = await site.one.schedules.get(ada, one.id)
        assert run is not None
        assert (run.at, run.outcome) == (one.next_at, "started")
        assert schedule.next_at is not None
        assert schedule.next_at > datetime.now(UTC)
        task = await site.one.store.get(ada, run.task_id)  # type: ignore[arg-type]
        assert await site.one.schedule_store.of_task(ada, task.id) == schedule


async def test_a_time_that_has_had_its_task_never_has_another(site: Site) -> None:
    ada = await site.user()
    made = await site.overdue(ada, timedelta(seconds=1))
    await site.look()
    # As a backup would have it that is older than the run.
    await site.since(made, made.next_at)  # type: ignore[arg-type]
    await site.look()
    assert len(await site.tasks(ada)) == 1


@pytest.mark.parametrize("missed", [Missed.SKIP, Missed.RUN_ONCE])
async def test_what_was_missed_is_skipped_or_made_up_for_once(site: Site, missed: Missed) -> None:
    ada = await site.user()
    made = await site.overdue(ada, 5 * HOUR + timedelta(minutes=30), cron="* * * * *", missed=missed)
    # The newest of the times is on time, whatever was missed before: every minute is.
    await site.look()
    assert len(await site.tasks(ada)) == 1
    hourly = datetime.now(UTC) + timedelta(minutes=30)  # its last time was half an hour ago
    late = await site.overdue(ada, timedelta(hours=4), cron=f"{hourly.minute} * * * *", missed=missed)
    await site.since(late, hourly.replace(second=0, microsecond=0) - 4 * HOUR)
    await site.look()
    runs = await site.one.schedules.runs(ada, late.id, 10)
    assert [(run.outcome, run.missed) for run in runs] == (
        [("skipped", 4)] if missed is Missed.SKIP else [("started", 3)]
    )
    assert len(await site.tasks(ada)) == (1 if missed is Missed.SKIP else 2)
    assert {one.phase for one, _ in await site.one.schedules.all(ada)} == {Phase.ACTIVE}
    assert made.id != late.id


async def test_what_was_paused_changed_or_deleted_since_it_was_read_starts_nothing(site: Site) -> None:
    ada = await site.user()
    paused, changed, deleted = [await site.overdue(ada, timedelta(seconds=1)) for _ in range(3)]
    await site.one.schedules.change(ada, paused.id, {"paused": True})
    await site.one.schedules.change(ada, changed.id, {"cron": "30 * * * *"})
    await site.one.schedules.delete(ada, deleted.id)
    firing = Firing(site.one.schedule_store, site.one.tasks)
    for one in (paused, changed, deleted):
        await firing.fire(one, datetime.now(UTC))
    assert await site.tasks(ada) == []


async def test_a_pause_misses_nothing(site: Site) -> None:
    ada = await site.user()
    made = await site.overdue(ada, 5 * HOUR)
    await site.one.schedules.change(ada, made.id, {"paused": True})
    await site.look()
    resumed = await site.one.schedules.change(ada, made.id, {"paused": False})
    assert resumed.next_at is not None
    assert resumed.next_at > datetime.now(UTC)
    await site.look()
    assert await site.tasks(ada) == []


async def test_a_time_whose_task_is_refused_says_why_and_the_next_one_comes(site: Site) -> None:
    ada = await site.user()
    made = await site.overdue(ada, timedelta(seconds=1))
    await site.one.db.execute("UPDATE schedules SET params = :params WHERE id = :id", {"params": "{}", "id": made.id})
    await site.look()
    schedule, run = await site.one.schedules.get(ada, made.id)
    assert run is not None
    assert (run.outcome, run.note, run.task_id) == ("refused", "n is required", None)
    assert schedule.next_at is not None
    assert schedule.next_at > datetime.now(UTC)


async def test_the_success_that_all_workers_see_starts_one_task(site: Site) -> None:
    ada = await site.user()
    first = await site.chained(ada, params={"n": {"$value": "rows.0"}, "label": "kept"}, name="Second")
    await site.bring_on()
    assert len(await site.tasks(ada)) == 1, "it has not ended yet"
    await site.end(first, result='{"v": 1, "value": {"rows": [7]}}')
    await site.bring_on()
    await site.bring_on()
    second, before = await site.tasks(ada)
    assert (before.id, second.name, second.params) == (first.id, "Second", {"n": 7, "label": "kept"})
    following = await site.one.chains.of(ada, first.id)
    assert following is not None
    assert (following.outcome, following.next_task_id) == ("started", second.id)
    assert await site.one.chains.before(ada, second.id) == first.id
    assert await site.one.chains.before(ada, first.id) is None


async def test_a_chain_goes_on_link_by_link(site: Site) -> None:
    ada = await site.user()
    link = {"workload": "work", "params": {"n": {"$value": ""}}, "name": "Third"}
    first = await site.chained(ada, params={"n": 2}, name="Second", then=link)
    await site.end(first)
    await site.bring_on()
    second = (await site.tasks(ada))[0]
    await site.end(second, result='{"v": 1, "value": 3}')
    await site.bring_on()
    assert [(task.name, task.params) for task in await site.tasks(ada)][:2] == [
        ("Third", {"n": 3}),
        ("Second", {"n": 2}),
    ]


async def test_what_the_task_before_has_made_is_copied_for_the_next_one(site: Site, tmp_path: Path) -> None:
    ada = await site.user()
    first = await site.chained(ada, params={"n": 1, "file": {"$artifact": "clean.csv"}})
    (tmp_path / "clean.csv").write_bytes(b"a,b\n1,2\n")
    await site.one.artifacts.upload(key := f"tasks/{first.id}/clean.csv", tmp_path / "clean.csv")
    made = f'[{{"name": "clean.csv", "media_type": "text/csv", "size": 8, "key": "{key}"}}]'
    await site.end(first, artifacts=made)
    await site.bring_on()
    second = (await site.tasks(ada))[0]
    file = await site.one.files.get(ada, second.params["file"])
    assert (file.name, file.media_type, file.size, file.user_id) == ("clean.csv", "text/csv", 8, ada)
    await site.one.tasks.delete(ada, first.id)
    assert b"".join([chunk async for chunk in await site.one.artifacts.read(file.key, size=8)]) == b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("verdict", "then", "outcome", "note"),
    [
        ("failed", {"params": {"n": 1}}, "dropped", "The task before it failed."),
        ("cancelled", {"params": {"n": 1}}, "dropped", "The task before it was cancelled."),
        ("succeeded", {"params": {"n": {"$value": "rows"}}}, "refused", "The value of the task before has no “rows”."),
        ("succeeded", {"params": {"n": {"$value": ""}}}, "refused", "n this is not of type"),
        (
            "succeeded",
            {"params": {"n": 1, "file": {"$artifact": "clean.csv"}}},
            "refused",
            "The task before has made no files, and no clean.csv.",
        ),
    ],
)
async def test_what_does_not_start_says_why(
    site: Site, verdict: str, then: dict[str, Any], outcome: str, note: str
) -> None:
    ada = await site.user()
    first = await site.chained(ada, **then)
    await site.end(first, verdict, error='{"kind": "error", "message": ""}' if verdict == "failed" else None)
    await site.bring_on()
    following = await site.one.chains.of(ada, first.id)
    assert following is not None
    assert (following.outcome, following.next_task_id) == (outcome, None)
    assert following.note.startswith(note)
    assert len(await site.tasks(ada)) == 1


async def test_where_too_much_waits_what_follows_waits_too(site: Site) -> None:
    ada = await site.user()
    first = await site.chained(ada, params={"n": 1})
    await site.end(first)
    await site.one.moves.submit([draft(ada) for _ in range(MOST_WAITING)])
    await chainer_of(site.workers[-1]).look()  # one that has not counted before
    following = await site.one.chains.of(ada, first.id)
    assert following is not None
    assert following.outcome is None
    assert "the most at once" in following.note


async def test_a_retry_has_the_same_that_follows(site: Site) -> None:
    ada = await site.user()
    first = await site.chained(ada, params={"n": 5})
    await site.end(first, "failed", error='{"kind": "error", "message": ""}')
    again = await site.one.tasks.retry(ada, first.id)
    following = await site.one.chains.of(ada, again.id)
    assert following is not None
    assert (following.plan["params"], following.outcome) == ({"n": 5}, None)


async def test_what_waits_beyond_one_look_has_its_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.chainer.MOST", 2)
    ada = await site.user()
    made = [await site.chained(ada, params={"n": n}) for n in range(5)]
    await site.end(made[-1])
    chainer = chainer_of(site.one)
    pending = "SELECT count(*) AS n FROM follow_ups WHERE outcome IS NULL"
    for _ in range(await site.one.db.fetch_val(pending)):
        await chainer.look()
    following = await site.one.chains.of(ada, made[-1].id)
    assert following is not None
    assert following.outcome == "started"
