"""Row 8: a worker is stopped for longer than its leases, and goes on as if nothing had happened."""

import asyncio
import time

import pytest

from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.recovery import record
from tests.faults.watching import process_of, until_stopped

ON_SERVERS = pytest.mark.parametrize("choice", ["rabbitmq", "arq"], indirect=True)


@ON_SERVERS
async def test_08_a_worker_that_was_frozen_writes_nothing_of_what_others_have_taken_over(
    deployment: Deployment,
) -> None:
    _, zombie = await deployment.both(worker={"failpoints": "before-finish=freeze@1"})
    pid = zombie.pid
    assert pid
    async with Crowd(deployment, people=1) as crowd:
        # The child of the first goes on while its worker is frozen: its result waits there, and the end of the second is about to be written.
        seconds = deployment.pace.lease
        [working] = await crowd.submit(1, "held", {"seconds": seconds, "attempts": 2})
        await process_of(crowd, working)
        [ending] = await crowd.submit(1)
        await until_stopped(pid)
        await deployment.worker()
        since = time.time()  # another one watches from now on
        [tab] = crowd.tabs
        await tab.until(lambda tab: bool(tab.told(working.id, "task.started", attempt=2)))
        await tab.until_ended(ending.id)
        await asyncio.to_thread(zombie.thaw)
        await asyncio.to_thread(zombie.stop)  # in good order: what it has to write it tries to write
        await crowd.settled()
        for task in (working, ending):
            [again] = tab.told(task.id, "task.started", attempt=2)
            record(8, deployment.backends.name, again - since, deployment.pace.dead_worker())
        [again], [ended] = tab.told(working.id, "task.started", attempt=2), tab.told(working.id, "task.succeeded")
        assert ended - again >= seconds, "the first attempt's result was not taken for the second's"
        (await ledger(deployment, crowd)).check()


@pytest.mark.parametrize("choice", ["dev"], indirect=True)
async def test_08_a_process_that_was_frozen_alone_loses_nothing(deployment: Deployment) -> None:
    dev = await deployment.web()
    async with Crowd(deployment, people=1) as crowd:
        tasks = await crowd.submit(1, "held") + await crowd.submit(1, params={"seconds": 1})
        await process_of(crowd, tasks[0])
        await asyncio.to_thread(dev.freeze)
        await asyncio.sleep(1.25 * deployment.pace.lease)  # the fault itself
        await asyncio.to_thread(dev.thaw)
        since = time.time()
        await crowd.submit(1)
        await crowd.settled()
        record(8, "dev", max(map(crowd.heard, crowd.accepted)) - since, deployment.pace.lost_hint)
        rows = (await read(deployment.database_url)).tasks
        assert {rows[task.id].lost for task in tasks} == {0}
        (await ledger(deployment, crowd)).check()
