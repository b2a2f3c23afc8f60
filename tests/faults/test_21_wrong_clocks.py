"""Row 21: workers whose clocks are an hour wrong, in either direction, take no task from the living, and leave none to the dead."""

import asyncio
import time

import pytest

from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.processes import within
from tests.faults.recovery import record
from tests.faults.watching import process_of, warmed_up


# With arq the clock of a worker also says when a hint is due.
@pytest.mark.parametrize("choice", ["arq"], indirect=True)
async def test_21_leases_do_not_depend_on_the_clocks_of_workers(deployment: Deployment) -> None:
    pace = deployment.pace
    await deployment.web()
    early, late = await asyncio.gather(
        deployment.worker(clock="-1h", heavy_slots="2"), deployment.worker(clock="+1h", heavy_slots="2")
    )
    async with Crowd(deployment, people=2) as crowd:
        await warmed_up(crowd)
        # Both sweep for the whole time, and have watched for a lease before it ends.
        tasks = await crowd.submit(4, "held", {"seconds": 1.5 * pace.lease})
        children = [await process_of(crowd, task) for task in tasks]
        for worker in (early, late):
            assert any(within(child, {worker.pid or 0}) for child in children)
        await crowd.settled()
        rows = (await read(deployment.database_url)).tasks
        assert {(rows[task.id].attempt, rows[task.id].lost) for task in tasks} == {(1, 0)}

        tasks = await crowd.submit(4, "held")
        children = [await process_of(crowd, task) for task in tasks]
        taken = [task for task, child in zip(tasks, children, strict=True) if within(child, {late.pid or 0})]
        for task in tasks:
            if task not in taken:  # the living one needs room
                await crowd.owner(task.id).person.post(crowd.origin(), f"/tasks/{task.id}/cancel")
        since = time.time()
        await asyncio.to_thread(late.crash)
        await crowd.settled()
        assert taken
        for task in taken:
            [again] = crowd.owner(task.id).tabs[0].told(task.id, "task.started", attempt=2)
            record(21, deployment.backends.name, again - since, pace.dead_worker())
        (await ledger(deployment, crowd)).check()
