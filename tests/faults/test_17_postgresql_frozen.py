"""Rows 17 and 38: PostgreSQL does not answer for longer than a lease, and then goes on. That costs a run, and never counts as a lost worker."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.proxy import Proxy
from tests.faults.recovery import record
from tests.faults.watching import gone, process_of, until_says, warmed_up
from tests.servers import PostgreSQL

ON_SERVERS = pytest.mark.parametrize("choice", ["rabbitmq", "arq"], indirect=True)


@contextlib.asynccontextmanager
async def frozen(postgresql: PostgreSQL, seconds: float) -> AsyncIterator[None]:
    """Freeze it for at least so long; the block runs meanwhile."""
    await asyncio.to_thread(postgresql.freeze)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(seconds))  # the fault itself
            yield
    finally:
        await asyncio.to_thread(postgresql.thaw)


@ON_SERVERS
async def test_17_work_is_dead_before_its_lease_ends_and_runs_again(
    deployment: Deployment, postgresql: PostgreSQL
) -> None:
    pace = deployment.pace
    await deployment.both(worker={"heavy_slots": "2"})
    await deployment.worker(heavy_slots="2")
    async with Crowd(deployment, people=2) as crowd:
        await warmed_up(crowd)
        tasks = await crowd.submit(4, "held")
        children = [await process_of(crowd, task) for task in tasks]
        since = time.time()
        async with frozen(postgresql, 1.25 * pace.lease):
            for ended in await asyncio.gather(*map(gone, children)):
                assert ended - since < pace.lease
        since = time.time()
        await crowd.settled()
        for task in tasks:
            [again] = crowd.owner(task.id).tabs[0].told(task.id, "task.started", attempt=2)
            record(17, deployment.backends.name, again - since, pace.lost_hint + pace.poll)
        rows = (await read(deployment.database_url)).tasks
        assert {(rows[task.id].attempt, rows[task.id].lost) for task in tasks} == {(2, 0)}
        (await ledger(deployment, crowd)).check()


@ON_SERVERS
async def test_38_no_task_is_lost_while_its_worker_lives_even_where_one_loss_is_its_end(
    backends: Backends, postgresql: PostgreSQL
) -> None:
    async with (
        Proxy(postgresql.port) as proxy,
        Deployment(backends, workloads="held,rough", heavy_slots="4") as deployment,
    ):
        await deployment.both(worker={"database_url": proxy.url(deployment.database_url)})
        async with Crowd(deployment, people=2) as crowd:
            await warmed_up(crowd)
            tasks = await crowd.submit(4, "only_once")
            tasks += await crowd.submit(2, "countdown", {"seconds": 1})
            # What cannot be killed holds its claim until it ends by itself, after the freeze.
            tasks += await crowd.submit(2, "deaf", {"seconds": 3 * deployment.pace.lease})
            for task in tasks[:4]:
                await process_of(crowd, task)
            for task in tasks[4:6]:
                await until_says(crowd, task, ".* left")
            for task in tasks[6:]:
                await until_says(crowd, task, "is deaf")
            await deployment.worker()
            # What the first worker says meanwhile is not even waiting there afterwards: whoever reaps at once comes first.
            proxy.black_hole()
            async with frozen(postgresql, 2 * deployment.pace.lease):
                pass
            proxy.restore()
            since = time.time()
            await crowd.settled()
            record(
                38,
                deployment.backends.name,
                max(map(crowd.heard, crowd.accepted)) - since,
                deployment.pace.lease + deployment.pace.lost_hint + deployment.pace.poll,
            )
            rows = (await read(deployment.database_url)).tasks
            assert {(rows[task.id].state, rows[task.id].lost, rows[task.id].errors) for task in tasks} == {
                ("succeeded", 0, 0)
            }
            (await ledger(deployment, crowd)).check()
