"""Pausing a workload, on both databases: who hears of it, what waits, what people are told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from app.catalogue import Catalogue, Workload
from app.errors import NotFound, Unavailable
from app.tasks.pauses import FRESH, Pauses, unless
from tests.contracts.task_databases import Tasks, task_database
from tests.contracts.test_estimates import Clock, explained, offered, waits, works
from workers.lane import Lane
from workers.pauses import PauseWatch

ADA, EVE = 1, 2
ABLE = {"work": 1, "long": 1}


class Signals:
    """Counts them."""

    count = 0

    async def __call__(self) -> None:
        self.count += 1


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        await made.user(ADA)
        await Catalogue(made.db, alive=60).publish([offered("work"), offered("long")])
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signals() -> Signals:
    return Signals()


@pytest.fixture
def pauses(tasks: Tasks, clock: Clock, signals: Signals) -> Pauses:
    return Pauses(tasks.db, Catalogue(tasks.db, alive=60, clock=clock), signal=signals, clock=clock)


async def claimed(tasks: Tasks, lane: Lane) -> list[str]:
    """What a worker takes."""
    return [claim.workload for claim in await tasks.moves.claim(tasks.worker, lane.name, lane.able, 10)]


async def test_a_pause_is_known_at_once_where_it_is_made_and_told_to_the_workers(
    tasks: Tasks, pauses: Pauses, signals: Signals
) -> None:
    assert await pauses.all() == {}
    await pauses.pause("work", operator=EVE)
    await pauses.pause("work", operator=ADA)  # again is fine, and changes nothing
    ((name, pause),) = (await pauses.all()).items()
    assert (name, pause.by) == ("work", "")  # the account of that operator is gone
    assert abs(await tasks.db.now() - pause.since) < timedelta(minutes=1)
    await pauses.resume("work", operator=ADA)
    assert await pauses.all() == {}
    assert signals.count == 3
    with pytest.raises(NotFound, match="no workload nothing"):
        await pauses.pause("nothing", operator=ADA)


async def test_another_process_knows_it_a_moment_later(tasks: Tasks, pauses: Pauses, clock: Clock) -> None:
    other = Pauses(tasks.db, Catalogue(tasks.db, alive=60, clock=clock), signal=Signals(), clock=clock)
    assert await other.all() == {}
    await pauses.pause("work", operator=ADA)
    assert await other.all() == {}
    clock.now += FRESH + 0.1
    assert set(await other.all()) == {"work"}


async def test_a_pause_holds_for_every_name_that_a_workload_has_or_had(
    tasks: Tasks, pauses: Pauses, clock: Clock
) -> None:
    await pauses.pause("work", operator=ADA)
    renamed: Workload = replace(offered("labour"), aliases=("work",))
    await Catalogue(tasks.db, alive=60).publish([renamed])
    clock.now += 10
    assert set(await pauses.all()) == {"work", "labour"}
    await pauses.resume("labour", operator=ADA)
    assert await pauses.all() == {}


async def test_a_worker_leaves_it_alone_and_takes_it_up_again_at_once(tasks: Tasks, pauses: Pauses) -> None:
    lane = Lane("light", 4, ABLE)
    watch = PauseWatch(pauses, [lane], every=60)
    await tasks.submit(ADA)
    await tasks.submit(ADA, workload="long")
    await pauses.pause("work", operator=ADA)
    await watch.look()
    assert await claimed(tasks, lane) == ["long"]
    assert await claimed(tasks, lane) == []
    lane.learn({**ABLE, "new": 1})
    assert set(lane.able) == {"long", "new"}, "also what it learns meanwhile"
    assert await lane.rung(1) == []
    await pauses.resume("work", operator=ADA)
    await watch.look()
    assert await lane.rung(60) == [], "it rings: nobody waits for the poll"
    assert await claimed(tasks, lane) == ["work"]


async def test_what_is_known_stands_while_the_database_is_away(pauses: Pauses) -> None:
    lane = Lane("light", 4, ABLE)
    await pauses.pause("work", operator=ADA)
    await PauseWatch(pauses, [lane], every=60).look()

    class Away:
        async def read(self) -> dict[str, str]:
            raise Unavailable

    with pytest.raises(Unavailable):
        await PauseWatch(Away(), [lane], every=60).look()  # type: ignore[arg-type]
    assert lane.paused == {"work"}


async def test_people_are_told_before_and_while_they_wait(tasks: Tasks, pauses: Pauses, clock: Clock) -> None:
    await works(tasks, ABLE, 2)
    await pauses.pause("work", operator=ADA)
    told = waits(tasks, clock)
    mine = await tasks.submit(ADA)
    wait = await explained(tasks, told, mine.id)
    assert (wait.reason, wait.position, wait.estimate_s) == ("paused", None, None)
    assert wait.message.startswith("Paused by an operator since ")
    assert wait.message.endswith("Tasks of this workload wait, and start by themselves once it is resumed.")
    expected = await told.expected(ADA, [offered("work"), offered("long")])
    assert (expected["work"].reason, expected["long"].reason) == ("paused", "line")


async def test_what_is_paused_is_in_nobodys_way(tasks: Tasks, pauses: Pauses, clock: Clock) -> None:
    await works(tasks, ABLE, 1)
    for _ in range(3):
        await tasks.submit(ADA)
    other = await tasks.submit(ADA, workload="long")
    assert (await explained(tasks, waits(tasks, clock), other.id)).position == 4
    await pauses.pause("work", operator=ADA)
    told = waits(tasks, clock)
    assert (await explained(tasks, told, other.id)).position == 1
    assert (await told.expected(ADA, [offered("long")]))["long"].position == 2


def test_a_condition_that_leaves_nothing_out_is_none() -> None:
    assert unless(()) == ("", {})
    assert unless({"b", "a"}) == (" AND workload NOT IN (:unless_0, :unless_1)", {"unless_0": "a", "unless_1": "b"})
