"""What estimates are made of, on both databases: run times of what has really run, the line, and what people are told of them."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from app.catalogue import Catalogue, Worker, Workload
from app.errors import Unavailable
from app.events.model import Frame
from app.queues import TaskQueue
from app.queues.memory import MemoryQueue
from app.tasks.line import FRESH as LINE_FRESH
from app.tasks.line import Lines
from app.tasks.model import Claim
from app.tasks.outbox import Outbox
from app.tasks.pauses import Pauses
from app.tasks.quota import Quota
from app.tasks.run_times import FRESH, LOOKED_AT, MOST, RunTimes
from app.tasks.waits import Wait, Waits
from tests.contracts.task_databases import Tasks, draft, ending, task_database

ADA = 1
ABLE = {"work": 1, "long": 1}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Nobody:
    async def publish(self, frames: Sequence[Frame]) -> None:
        """Nobody listens."""


class Down(MemoryQueue):
    """A broker that does not answer."""

    async def ping(self) -> None:
        raise Unavailable


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        await made.user(ADA)
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def started(tasks: Tasks, workload: str, *ago: float, worker: UUID | None = None) -> list[Claim]:
    """Tasks that run, each since so many seconds."""
    made = [await tasks.submit(ADA, workload=workload, priority=9) for _ in ago]
    claims = {
        claim.id: claim for claim in await tasks.moves.claim(worker or tasks.worker, "light", {workload: 1}, len(made))
    }
    async with tasks.db.transaction():
        for one, seconds in zip(made, ago, strict=True):
            at = await tasks.db.now() - timedelta(seconds=seconds)
            await tasks.db.execute("UPDATE tasks SET started_at = :at WHERE id = :id", {"at": at, "id": one.id})
    return [claims[one.id] for one in made]


async def ran(tasks: Tasks, workload: str, *seconds: float) -> list[Claim]:
    """Tasks that have succeeded after so many seconds each."""
    claims = await started(tasks, workload, *seconds)
    await tasks.moves.finish([ending(claim, "succeeded") for claim in claims])
    return claims


async def works(tasks: Tasks, able: Mapping[str, int], slots: int, worker: UUID | None = None) -> None:
    """A worker is alive."""
    now = datetime.now(UTC)
    row = Worker(
        id=worker or tasks.worker, host="here", pid=1, version="1", started_at=now, last_seen_at=now, workloads=able, slots={"light": slots}
    )  # fmt: skip
    await Catalogue(tasks.db, alive=60).beat(row)


async def unheard() -> None:
    """No worker listens."""


def waits(tasks: Tasks, clock: Clock, *, most: int = 100, queue: TaskQueue | None = None) -> Waits:
    outbox = Outbox(Nobody(), queue or MemoryQueue())
    if queue is not None:
        outbox.broker_down_since = time.monotonic() - 60
    return Waits(
        store=tasks.store,
        catalogue=Catalogue(tasks.db, alive=60, clock=clock),
        outbox=outbox,
        quota=Quota(tasks.store, most=most, clock=clock),
        lines=Lines(tasks.db, clock=clock),
        run_times=RunTimes(tasks.db, clock=clock),
        pauses=Pauses(tasks.db, Catalogue(tasks.db, alive=60, clock=clock), signal=unheard, clock=clock),
    )


async def explained(tasks: Tasks, told: Waits, task_id: UUID) -> Wait:
    wait = await told.explain(await tasks.store.get(ADA, task_id))
    assert wait is not None
    return wait


def offered(name: str = "work", version: int = 1) -> Workload:
    return Workload(
        name=name, version=version, title=name, description="", mode="async", lane="light", schema={}, limits={}, timeout_s=60, max_attempts=3, source="built-in"
    )  # fmt: skip


async def test_run_times_are_those_of_what_succeeded(tasks: Tasks, clock: Clock) -> None:
    times = RunTimes(tasks.db, clock=clock)
    assert await times.usual() == {}
    await ran(tasks, "work", 10, 20)
    await ran(tasks, "long", 600)
    for claim, verdict in zip(await started(tasks, "work", 500, 500), ("failed", "cancelled"), strict=True):
        await tasks.moves.finish([ending(claim, verdict)])  # type: ignore[arg-type]
    await started(tasks, "work", 900)
    await tasks.submit(ADA)
    assert await times.usual() == {}  # kept for a while
    clock.now += FRESH + 0.1
    assert await times.usual() == pytest.approx({"work": 15, "long": 600}, abs=3)


async def test_the_newest_runs_of_a_workload_count(tasks: Tasks) -> None:
    await ran(tasks, "work", *[1000.0] * 20)
    await ran(tasks, "work", *[10.0] * MOST)
    assert await RunTimes(tasks.db).usual() == pytest.approx({"work": 10}, abs=3)


async def test_what_was_deleted_does_not_count(tasks: Tasks) -> None:
    kept, deleted = await ran(tasks, "work", 10, 1000)
    assert await tasks.moves.delete(ADA, deleted.id)
    assert await RunTimes(tasks.db).usual() == pytest.approx({"work": 10}, abs=3), kept


async def test_however_much_has_ended_only_so_many_ends_are_looked_at(tasks: Tasks, clock: Clock) -> None:
    times = RunTimes(tasks.db, clock=clock)
    await ran(tasks, "long", 600)
    assert list(await times.usual()) == ["long"]
    others = [draft(ADA) for _ in range(LOOKED_AT)]
    await tasks.moves.submit(others)
    await tasks.moves.cancel(ADA, [one.id for one in others])
    assert await RunTimes(tasks.db).usual() == {}
    clock.now += FRESH + 0.1
    assert list(await times.usual()) == ["long"]  # what was known stays known


async def test_the_line_is_what_is_due_in_the_order_of_claims(tasks: Tasks, clock: Clock) -> None:
    lines = Lines(tasks.db, clock=clock)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await tasks.submit(ADA, workload="long", priority=-1)
    await tasks.submit(ADA)
    await tasks.submit(ADA, run_at=tomorrow, priority=9)
    await tasks.submit(ADA, lane="heavy", priority=9)
    (claim,) = await started(tasks, "long", 60)
    await tasks.submit(ADA, workload="long", priority=2)
    line = await lines.of("light")
    assert line.due == (("long", 2), ("work", 0), ("long", -1))
    assert [(run.workload, run.worker) for run in line.running] == [("long", tasks.worker)]
    assert line.running[0].seconds == pytest.approx(60, abs=3)
    await tasks.end(claim, "retry", retry_after=0.0)  # it takes its place again
    assert await lines.of("light") is line
    clock.now += LINE_FRESH + 0.1
    assert (await lines.of("light")).due == (("long", 9), *line.due)
    assert (await lines.of("light")).running == ()


async def test_a_task_in_line_is_told_when_it_starts_once_there_is_a_history(tasks: Tasks, clock: Clock) -> None:
    await works(tasks, ABLE, 1)
    await started(tasks, "long", 30)
    first, second, third = [await tasks.submit(ADA, workload=name) for name in ("work", "long", "work")]
    before = await explained(tasks, waits(tasks, clock), first.id)
    assert (before.reason, before.position, before.estimate_s) == ("line", 1, None)
    await tasks.moves.finish([ending(one, "succeeded") for one in await started(tasks, "work", 10)])
    await tasks.moves.finish([ending(one, "succeeded") for one in await started(tasks, "long", 100)])
    told = waits(tasks, clock)
    found = [await explained(tasks, told, one.id) for one in (first, second, third)]
    assert [wait.position for wait in found] == [1, 2, 3]
    frees, *later = [wait.estimate_s or 0.0 for wait in found]
    assert frees == pytest.approx(70, abs=5)
    assert [at - frees for at in later] == pytest.approx([10, 110], abs=5)


async def test_a_free_slot_needs_no_history(tasks: Tasks, clock: Clock) -> None:
    await works(tasks, ABLE, 2)
    await started(tasks, "long", 30)
    made = await tasks.submit(ADA)
    assert (await explained(tasks, waits(tasks, clock), made.id)).estimate_s == 0


async def test_workers_that_cannot_take_it_neither_help_nor_hinder(tasks: Tasks, clock: Clock) -> None:
    other = uuid4()
    await ran(tasks, "work", 10)
    await works(tasks, {"work": 1}, 1)
    await works(tasks, {"long": 1}, 50, other)
    await started(tasks, "long", *[5.0] * 3, worker=other)
    made, after = await tasks.submit(ADA), await tasks.submit(ADA)
    told = waits(tasks, clock)
    assert (await explained(tasks, told, made.id)).estimate_s == 0
    assert (await explained(tasks, told, after.id)).estimate_s == pytest.approx(10, abs=3)


async def test_before_submit_the_place_is_the_one_behind_all_that_are_as_urgent(tasks: Tasks, clock: Clock) -> None:
    await ran(tasks, "work", 10)
    await works(tasks, ABLE, 1)
    await started(tasks, "work", 4)
    for priority in (0, 3, -1):
        await tasks.submit(ADA, priority=priority)
    told = waits(tasks, clock)
    found = (await told.expected(ADA, [offered(), offered("long")]))["work"]
    made = await tasks.submit(ADA)
    clock.now += LINE_FRESH + 0.1
    truly = await explained(tasks, told, made.id)
    assert (found.reason, found.position) == (truly.reason, truly.position) == ("line", 3)
    assert found.estimate_s == pytest.approx(26, abs=5)
    assert truly.estimate_s == pytest.approx(found.estimate_s, abs=5)
    assert (await tasks.store.get(ADA, made.id)).attempt == 0  # looking starts nothing


async def test_before_submit_the_reason_is_said_where_nothing_can_start(tasks: Tasks, clock: Clock) -> None:
    both = [offered(), offered("long", version=2)]
    nobody = await waits(tasks, clock).expected(ADA, both)
    assert {wait.reason for wait in nobody.values()} == {"no_worker"}
    await works(tasks, ABLE, 1)
    some = await waits(tasks, clock).expected(ADA, both)
    assert [(one.reason, one.position) for one in some.values()] == [("line", 1), ("no_capable_worker", None)]
    assert "version 1 of long, this task needs 2" in some["long"].message
    down = await waits(tasks, clock, queue=Down()).expected(ADA, both)
    assert [(one.reason, one.position) for one in down.values()] == [("broker_down", 1), ("no_capable_worker", None)]


async def test_before_submit_a_limit_is_named_and_others_are_not_held(tasks: Tasks, clock: Clock) -> None:
    eve = await tasks.user(2)
    await works(tasks, ABLE, 1)
    told = waits(tasks, clock, most=2)
    for _ in range(2):
        assert (await told.expected(ADA, [offered()]))["work"].reason == "line"
        await tasks.submit(ADA)
        clock.now += 60
    held = (await told.expected(ADA, [offered()]))["work"]
    assert held == Wait(
        "limit", "You have 2 tasks waiting, the most at once. Cancel some, or wait until some have started."
    )
    assert (await told.expected(eve, [offered()]))["work"].reason == "line"
