"""The sweeper: hints for what is due and has none, and tasks of the dead, but only when the database was in reach for a whole lease."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.queues import open_queue
from app.queues.base import TaskQueue
from app.tasks.model import LEASE
from app.tasks.outbox import Outbox
from app.tasks.states import State
from tests.contracts.task_databases import Tasks, task_database
from tests.integration.test_runtime import Followers
from workers.sweeper import REAP_EVERY, Contact, Sweeper

ADA = 1


class Clock:
    """Monotonic seconds that a test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        await made.user(ADA)
        yield made


@pytest.fixture
async def queue() -> AsyncIterator[TaskQueue]:
    made = open_queue("memory://", deployment="test")
    await made.open()
    yield made
    await made.close()


def sweeper_of(tasks: Tasks, queue: TaskQueue, clock: Clock, held: Collection[UUID] = ()) -> Sweeper:
    return Sweeper(
        held=lambda: held,
        lanes=["light", "heavy"],
        db=tasks.db,
        moves=tasks.moves,
        queue=queue,
        outbox=Outbox(Followers(), queue),
        clock=clock,
    )


async def test_what_is_due_and_has_no_hint_gets_one(tasks: Tasks, queue: TaskQueue) -> None:
    sweeper = sweeper_of(tasks, queue, Clock())
    fresh = await tasks.submit(ADA)
    await tasks.submit(ADA, run_at=datetime.now(UTC) + timedelta(hours=1))
    assert await sweeper.top_up() == 0, "a hint is on its way already"
    await tasks.db.execute(
        "UPDATE tasks SET run_at = :then WHERE id = :id",
        {"then": datetime.now(UTC) - timedelta(seconds=5), "id": fresh.id},
    )
    assert await sweeper.top_up() == 1
    assert await queue.depth("light") == 1
    assert await sweeper.top_up() == 0, "one waits at the broker"


async def test_it_reaps_only_after_a_lease_of_unbroken_contact(tasks: Tasks, queue: TaskQueue) -> None:
    clock = Clock()
    sweeper = sweeper_of(tasks, queue, clock)
    made = await tasks.submit(ADA)
    await tasks.claim()
    await tasks.db.execute("UPDATE tasks SET lease_until = :past", {"past": datetime.now(UTC) - timedelta(hours=1)})
    await sweeper.top_up()
    assert await sweeper.reap() == (), "it has seen the database for a moment only"
    for _ in range(int(LEASE)):
        clock.now += 1
        await sweeper.top_up()
    clock.now += REAP_EVERY + 1  # the database was frozen: the living could not extend their leases
    await sweeper.top_up()
    assert await sweeper.reap() == ()
    for _ in range(int(LEASE)):
        clock.now += 1
        await sweeper.top_up()
    (event,) = await sweeper.reap()
    assert event.type == "task.retrying"
    assert (await tasks.store.get(ADA, made.id)).state is State.QUEUED


async def test_it_never_reaps_what_its_own_worker_runs(tasks: Tasks, queue: TaskQueue) -> None:
    clock = Clock()
    await tasks.submit(ADA)
    (claim,) = await tasks.claim()
    sweeper = sweeper_of(tasks, queue, clock, (claim.token,))
    await tasks.db.execute("UPDATE tasks SET lease_until = :past", {"past": datetime.now(UTC) - timedelta(hours=1)})
    for _ in range(int(LEASE) + 1):
        clock.now += 1
        await sweeper.top_up()
    assert list(await sweeper.reap()) == []


def test_contact_counts_a_late_answer_as_a_break() -> None:
    clock = Clock()
    contact = Contact(clock)
    contact.good()
    clock.now += 5
    contact.good()
    assert contact.unbroken_for(5)
    clock.now += REAP_EVERY + 1
    assert not contact.unbroken_for(5), "nothing was heard for too long"
    contact.good()
    assert not contact.unbroken_for(5)
