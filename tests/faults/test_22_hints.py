"""Rows 22 and 30: a hint that comes a hundred times, and one that never comes, where no worker looks for work by itself or sweeps."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID, uuid4

import pytest

from app.queues import TaskQueue, open_queue
from tests.contracts.queue_backends import Arq, Broker, RabbitMQ
from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Accepted, Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.recovery import record
from tests.faults.timing import slowest
from tests.faults.watching import until
from tests.servers import PostgreSQL

SELDOM: Final = "600"  # seconds
OFTEN: Final = 100  # deliveries
FETCHED: Final = 16  # messages that two frozen workers have fetched, out of the broker's reach
RATE: Final = 25.0  # submits a second


@pytest.fixture(scope="module", params=["arq", "rabbitmq"])
async def deployment(request: pytest.FixtureRequest, postgresql: PostgreSQL) -> AsyncIterator[Deployment]:
    """One web process and two workers, which start nothing without a hint."""
    redis = request.getfixturevalue("redis_url")
    queue = request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else redis
    name = f"faults_{uuid4().hex}"
    backends = Backends(request.param, postgresql.create_database(name), queue, redis)
    async with Deployment(backends, light_slots="4", poll_seconds=SELDOM, sweep_seconds=SELDOM) as made:
        await asyncio.gather(made.both(), made.worker())
        yield made
    postgresql.drop_database(name)


@pytest.fixture
async def queue(deployment: Deployment) -> AsyncIterator[TaskQueue]:
    """The deployment's queue, as any process has it."""
    queue = open_queue(deployment.backends.queue, deployment=deployment.settings["deployment"])
    await queue.open()
    yield queue
    await queue.close()


@contextlib.asynccontextmanager
async def frozen_workers(deployment: Deployment) -> AsyncIterator[None]:
    for worker in deployment.workers:
        await asyncio.to_thread(worker.freeze)
    try:
        yield
    finally:
        for worker in deployment.workers:
            await asyncio.to_thread(worker.thaw)


async def test_22_a_hint_that_comes_a_hundred_times_is_one_claim(deployment: Deployment, queue: TaskQueue) -> None:
    async def repeat(task: Accepted) -> None:
        await asyncio.gather(*(queue.wake("light", [UUID(task.id)]) for _ in range(OFTEN)))

    async with Crowd(deployment, people=1) as crowd:
        [tab] = crowd.tabs
        async with frozen_workers(deployment):
            [task] = await crowd.submit(1, params={"seconds": 1})
            await repeat(task)
        thawed = time.time()
        await tab.until_told(task.id, "task.started")
        record(22, deployment.backends.name, time.time() - thawed, deployment.pace.lost_hint)
        await repeat(task)
        await crowd.settled()
        await repeat(task)
        others = await crowd.submit(20)
        await crowd.settled()
        assert slowest(crowd, others) < deployment.pace.lost_hint, "nobody waits behind what is of no use"
        async with asyncio.timeout(10):
            while await queue.depth("light"):  # noqa: ASYNC110  a broker does not say when
                await asyncio.sleep(0.01)
        (await ledger(deployment, crowd)).check()
        row = (await read(deployment.database_url)).tasks[task.id]
        assert (row.state, row.attempt, row.lost, row.errors) == ("succeeded", 1, 0, 0)


async def test_30_a_task_whose_hint_is_purged_starts_with_the_next_of_any(
    deployment: Deployment, queue: TaskQueue
) -> None:
    broker: Broker = (RabbitMQ if deployment.backends.name == "rabbitmq" else Arq)(deployment.backends.queue)
    async with Crowd(deployment, people=3) as crowd:
        async with frozen_workers(deployment):
            before = await crowd.submit(2 * FETCHED, at_once=1)
            [task] = await crowd.submit(1, name="Its hint gets lost")
            while await queue.depth("light"):
                await _purge(broker, deployment)
        thawed = time.time()
        async with crowd.keep_going(RATE) as accepted:
            await until(lambda: len(accepted) >= RATE)
        await crowd.settled()
        record(30, deployment.backends.name, crowd.heard(task.id) - thawed, deployment.pace.lost_hint)
        assert slowest(crowd, accepted) < deployment.pace.lost_hint
        assert {one.tries for one in before} == {1}
        (await ledger(deployment, crowd)).check()


async def _purge(broker: Broker, deployment: Deployment) -> None:
    # On Redis a lane is one list; emptying all of it would hurt others.
    await (broker.empty if isinstance(broker, RabbitMQ) else broker.delete)(deployment.settings["deployment"], "light")
