"""The sweeper: hints for what is due and has none, and tasks of the dead, but only when the database was in reach for a whole lease."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.db import Database
from app.errors import Unavailable
from app.queues.memory import MemoryQueue
from app.tasks.outbox import Outbox
from app.tasks.states import State
from tests.contracts.task_databases import ABLE, Tasks, task_database
from tests.integration.test_runtime import Followers
from workers.lane import Lane
from workers.sweeper import LONGEST_BREAK, MOST_HINTS, Contact, Sweeper

ADA = 1
LEASE = 10.0
A_BREAK = LONGEST_BREAK * LEASE + 0.1


class Clock:
    """Monotonic seconds that a test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Broker(MemoryQueue):
    """A queue that a test can take away: it then takes no hints, or does not even tell how many wait."""

    takes = True
    tells = True

    async def wake(self, lane: str, tasks: Sequence[UUID]) -> None:
        if not self.takes:
            raise Unavailable
        await super().wake(lane, tasks)

    async def depth(self, lane: str) -> int:
        if not self.tells:
            raise Unavailable
        return await super().depth(lane)


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        await made.user(ADA)
        yield made


@pytest.fixture
async def queue() -> AsyncIterator[Broker]:
    made = Broker()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def light() -> Lane:
    lane = Lane("light", 100, ABLE)
    lane.connected(True)
    return lane


def sweeper_of(
    tasks: Tasks, queue: Broker, clock: Clock, *, held: Collection[UUID] = (), lanes: Sequence[Lane] = ()
) -> Sweeper:
    return Sweeper(
        held=lambda: held,
        lanes=lanes,
        db=tasks.db,
        moves=tasks.moves,
        queue=queue,
        outbox=Outbox(Followers(), queue),
        lease=LEASE,
        every=0.01,
        clock=clock,
    )


async def forgotten(tasks: Tasks, number: int = 1) -> None:
    """Tasks that have been due for a while, and of which the broker knows nothing."""
    for _ in range(number):
        await tasks.submit(ADA)
    await tasks.db.execute("UPDATE tasks SET run_at = :then", {"then": datetime.now(UTC) - timedelta(seconds=5)})


async def rung(lane: Lane) -> bool:
    """Whether the lane was told to look for work, which it then does."""
    try:
        async with asyncio.timeout(0.01):
            await lane.rung(10)
    except TimeoutError:
        return False
    return True


async def test_what_is_due_and_has_no_hint_gets_one(tasks: Tasks, queue: Broker, light: Lane) -> None:
    sweeper = sweeper_of(tasks, queue, Clock())
    await rung(light)
    await tasks.submit(ADA)
    await tasks.submit(ADA, run_at=datetime.now(UTC) + timedelta(hours=1))
    assert await sweeper.top_up(light) == 0, "a hint is on its way already"
    assert not await rung(light)
    await tasks.claim()
    await forgotten(tasks)
    assert await sweeper.top_up(Lane("heavy", 1, {})) == 0
    assert await sweeper.top_up(light) == 2
    assert await queue.depth("light") == 1
    assert await rung(light), "this worker looks at once"
    assert await sweeper.top_up(light) == 0, "one waits at the broker"


async def test_what_is_due_is_so_by_the_databases_clock(
    tasks: Tasks, queue: Broker, light: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = sweeper_of(tasks, queue, Clock())
    await tasks.submit(ADA)
    database = type(tasks.db)
    now = database.now

    async def later(self: Database) -> datetime:
        return await now(self) + timedelta(minutes=1)

    assert await sweeper.top_up(light) == 0
    monkeypatch.setattr(database, "now", later)
    assert await sweeper.top_up(light) == 1


async def test_a_large_backlog_does_not_flood_the_broker(tasks: Tasks, queue: Broker, light: Lane) -> None:
    sweeper = sweeper_of(tasks, queue, Clock())
    await forgotten(tasks, MOST_HINTS + 50)
    assert await sweeper.top_up(light) == MOST_HINTS
    assert await queue.depth("light") == 63, "of at most 16 hints"
    queue.tells = False
    for _ in range(3):
        assert await sweeper.top_up(light) == 0
    queue.tells = True
    assert await queue.depth("light") <= 63 + 3, "and one for each try whether the broker takes any"


async def test_what_is_paused_wakes_nobody(tasks: Tasks, queue: Broker, light: Lane) -> None:
    await forgotten(tasks, 3)
    sweeper = sweeper_of(tasks, queue, Clock())
    await rung(light)
    light.pause(frozenset(ABLE))
    assert await sweeper.top_up(light) == 0
    assert await queue.depth("light") == 0
    assert not await rung(light)
    light.pause(frozenset())
    assert await rung(light)
    assert await sweeper.top_up(light) == 3


async def test_a_broker_that_takes_no_hints_makes_the_lane_look_for_itself(
    tasks: Tasks, queue: Broker, light: Lane
) -> None:
    sweeper = sweeper_of(tasks, queue, Clock())
    queue.takes = False
    await sweeper.top_up(light)
    assert not light.deaf, "nothing was to be said, so nothing is known"
    await forgotten(tasks)
    assert await sweeper.top_up(light) == 0
    assert light.deaf
    assert await rung(light)
    assert len(await tasks.claim()) == 1
    await sweeper.top_up(light)
    assert light.deaf, "it stays known when nothing is due any more"
    queue.takes = True
    await sweeper.top_up(light)
    assert not light.deaf, "one hint went through, whatever it was for"
    assert await queue.depth("light") == 1


async def test_it_reaps_only_after_a_lease_of_unbroken_contact(tasks: Tasks, queue: Broker) -> None:
    clock = Clock()
    sweeper = sweeper_of(tasks, queue, clock)
    made = await tasks.submit(ADA)
    await tasks.claim()
    await tasks.db.execute("UPDATE tasks SET lease_until = :past", {"past": datetime.now(UTC) - timedelta(hours=1)})
    assert await sweeper.reap() == (), "it has seen the database for a moment only"
    for _ in range(int(LEASE) - 1):
        clock.now += 1
        assert await sweeper.reap() == ()
    clock.now += A_BREAK  # the database was frozen: the living could not extend their leases
    for _ in range(int(LEASE)):
        assert await sweeper.reap() == ()
        clock.now += 1
    (event,) = await sweeper.reap()
    assert event.type == "task.retrying"
    assert (await tasks.store.get(ADA, made.id)).state is State.QUEUED


async def test_it_never_reaps_what_its_own_worker_runs(tasks: Tasks, queue: Broker) -> None:
    clock = Clock()
    await tasks.submit(ADA)
    (claim,) = await tasks.claim()
    sweeper = sweeper_of(tasks, queue, clock, held=(claim.token,))
    await tasks.db.execute("UPDATE tasks SET lease_until = :past", {"past": datetime.now(UTC) - timedelta(hours=1)})
    for _ in range(int(LEASE) + 1):
        assert list(await sweeper.reap()) == []
        clock.now += 1


async def test_it_sweeps_again_and_again_whatever_the_broker_does(tasks: Tasks, queue: Broker, light: Lane) -> None:
    queue.tells = queue.takes = False
    running = asyncio.create_task(sweeper_of(tasks, queue, Clock(), lanes=[light]).run())
    try:
        for _ in range(2):
            await forgotten(tasks)
            async with asyncio.timeout(5):
                while not await tasks.claim():
                    await light.rung(10)
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert running.cancelled()


def test_contact_counts_a_late_answer_as_a_break() -> None:
    clock = Clock()
    contact = Contact(4, clock)
    contact.good()
    clock.now += 3
    contact.good()
    assert contact.unbroken_for(3)
    clock.now += 4.1
    assert not contact.unbroken_for(3), "nothing was heard for too long"
    contact.good()
    assert not contact.unbroken_for(3)
