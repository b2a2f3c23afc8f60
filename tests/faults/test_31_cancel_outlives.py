"""Row 31: a cancel that was answered holds, whatever becomes of the worker and of the work."""

import asyncio
import time

from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.pace import SLACK
from tests.faults.recovery import record
from tests.faults.watching import process_of, until


async def test_31_a_cancel_holds_when_the_worker_is_killed_after_its_answer(backends: Backends) -> None:
    async with Deployment(backends, workloads="rough") as deployment:
        _, worker = await deployment.both(worker={"failpoints": "before-finish=kill"})
        async with Crowd(deployment, people=1) as crowd:
            [task] = await crowd.submit(1, "reluctant")
            await process_of(crowd, task)
            await crowd.members[0].person.post(crowd.origin(), f"/tasks/{task.id}/cancel")
            await asyncio.to_thread(worker.wait_ended)
            assert worker.struck("before-finish") is not None
            await deployment.replace(worker)
            since = time.time()  # somebody watches from now on
            await crowd.settled()
            [tab] = crowd.tabs
            [ended] = tab.told(task.id, "task.cancelled")
            record(31, backends.name, ended - since, deployment.pace.lease + deployment.pace.sweep + SLACK)
            assert len(tab.told(task.id, "task.started")) == 1
            (await ledger(deployment, crowd)).check()


async def test_31_a_cancel_holds_when_the_work_then_asks_to_be_tried_again(backends: Backends) -> None:
    async with Deployment(backends, workloads="rough") as deployment:
        _, worker = await deployment.both(worker={"failpoints": "before-finish=delay:1@1"})
        async with Crowd(deployment, people=1) as crowd:
            [task] = await crowd.submit(1, "unlucky", {})
            await until(lambda: worker.struck("before-finish") is not None)
            await crowd.members[0].person.post(crowd.origin(), f"/tasks/{task.id}/cancel")
            await crowd.settled()
            told = [event["type"] for event in crowd.tabs[0].events]
            assert told == ["task.queued", "task.started", "task.cancelling", "task.cancelled"]
            assert (await read(deployment.database_url)).tasks[task.id].attempt == 1
            (await ledger(deployment, crowd)).check()
