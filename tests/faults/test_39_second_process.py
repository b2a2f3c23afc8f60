"""Row 39: a second process works on the embedded database, and the loop of the first is blocked for longer than a lease."""

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.recovery import record
from tests.faults.watching import LOOK_EVERY, process_of
from tests.integration.people import PATIENCE

ON_ONE_FILE = pytest.mark.parametrize("choice", ["dev"], indirect=True)


@ON_ONE_FILE
async def test_39_a_second_process_leaves_alone_what_the_first_one_runs_though_its_loop_is_blocked(
    backends: Backends,
) -> None:
    async with Deployment(backends, workloads="held,rough", heavy_slots="1") as deployment:
        await deployment.web()
        pace = deployment.pace
        async with Crowd(deployment, people=1) as crowd:
            seconds = {"seconds": 3 * pace.lease}
            [working] = await crowd.submit(1, "held", seconds)
            await process_of(crowd, working)
            # Nothing comes from there while it is blocked, not even the answer to this, perhaps.
            submitting = asyncio.create_task(crowd.submit(1, "blocking", seconds))
            await deployment.worker()
            await submitting
            await crowd.settled()
            rows = (await read(deployment.database_url)).tasks
            assert {(row.state, row.attempt, row.lost) for row in rows.values()} == {("succeeded", 1, 0)}
            (await ledger(deployment, crowd)).check()


@ON_ONE_FILE
async def test_39_a_loop_that_is_blocked_in_the_middle_of_its_writes_keeps_the_file_from_nobody(
    backends: Backends,
) -> None:
    async with Deployment(backends, workloads="held,rough") as deployment:
        await deployment.web()
        await deployment.worker()
        pace = deployment.pace
        async with Crowd(deployment, people=4) as crowd:
            submitting = asyncio.create_task(crowd.submit(300))
            await crowd.tabs[0].until(lambda tab: len(tab.ended) >= 5)
            [task] = await crowd.submit(1, "blocking", {"seconds": 2 * pace.lease})
            await submitting
            await crowd.settled()
            row = (await read(deployment.database_url)).tasks[task.id]
            assert (row.state, row.attempt, row.lost) == ("succeeded", 1, 0)
            (await ledger(deployment, crowd)).check()


async def until_both_run_one(deployment: Deployment) -> dict[int, str]:
    """Until each of two processes runs a task: which, by process."""
    path = deployment.database_url.removeprefix("sqlite:///")
    sql = "SELECT pid, tasks.id FROM tasks JOIN workers ON workers.id = worker_id WHERE state = 'running'"
    async with asyncio.timeout(PATIENCE):
        while True:
            with closing(sqlite3.connect(path, timeout=10)) as file:
                found = dict(file.execute(sql).fetchall())
            if len(found) == 2:
                return found
            await asyncio.sleep(LOOK_EVERY)


@ON_ONE_FILE
async def test_39_a_process_that_starts_again_leaves_alone_what_the_second_one_runs(backends: Backends) -> None:
    async with Deployment(backends, heavy_slots="1") as deployment:
        dev = await deployment.web()
        second = await deployment.worker()
        pace = deployment.pace
        async with Crowd(deployment, people=1) as crowd:
            await crowd.submit(2, "held", {"seconds": 2 * pace.lease})
            runs = await until_both_run_one(deployment)
            orphaned, kept = runs[dev.pid or 0], runs[second.pid or 0]
            await asyncio.to_thread(dev.crash)
            since = time.time()
            await deployment.replace(dev)
            await crowd.settled()
            [tab] = crowd.tabs
            [again] = tab.told(orphaned, "task.started", attempt=2)
            record(39, "dev", again - since, pace.dead_worker() + pace.lost_hint)
            rows = (await read(deployment.database_url)).tasks
            assert (rows[kept].attempt, rows[kept].lost) == (1, 0)
            assert (rows[orphaned].attempt, rows[orphaned].lost) == (2, 1)
            (await ledger(deployment, crowd)).check()
