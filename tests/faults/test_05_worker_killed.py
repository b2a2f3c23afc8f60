"""Rows 5 to 7: a worker dies by kill -9 right after its claim, in the middle of the work, and right after the end."""

import asyncio
import re
import time

from tests.faults.crowd import Accepted, Crowd
from tests.faults.deployment import Deployment, Process
from tests.faults.ledger import ledger
from tests.faults.pace import RECHECK
from tests.faults.processes import alive, within
from tests.faults.recovery import record


async def victim_and_spare(deployment: Deployment, failpoints: str = "") -> Process:
    """A worker that is to die, and another one that watches, with room for what both have; the embedded backend has only the one."""
    _, victim = await deployment.both(worker={"failpoints": failpoints, "heavy_slots": "4"})
    if not deployment.backends.embedded:
        await deployment.worker(heavy_slots="4")
    return victim


async def submit_until_struck(crowd: Crowd, victim: Process, place: str) -> float:
    """Submit one task after the other until the victim has got one and died of it; when that was."""
    dying = asyncio.create_task(asyncio.to_thread(victim.wait_ended))
    while not dying.done():
        [task] = await crowd.submit(1)
        tab = crowd.owner(task.id).tabs[0]
        ending = asyncio.create_task(tab.until_ended(task.id))
        await asyncio.wait([dying, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
    await dying
    died = victim.struck(place)
    assert died
    return died


async def back(deployment: Deployment, victim: Process, died: float) -> float:
    """From when a recovery counts: the death; on the embedded backend the moment at which it was started again."""
    if not deployment.backends.embedded:
        return died
    await deployment.replace(victim)
    return time.time()


def second_starts(crowd: Crowd) -> list[float]:
    """When the tasks that were started a second time were."""
    return [at for tab in crowd.tabs for task in tab.last for at in tab.told(task, "task.started", attempt=2)]


async def test_05_a_worker_killed_after_its_claim_costs_an_attempt(deployment: Deployment) -> None:
    victim = await victim_and_spare(deployment, "before-run=kill")
    async with Crowd(deployment, people=2) as crowd:
        died = await submit_until_struck(crowd, victim, "before-run")
        since = await back(deployment, victim, died)
        await crowd.settled()
        starts = second_starts(crowd)
        assert starts
        for at in starts:
            record(5, deployment.backends.name, at - since, deployment.pace.dead_worker())
        (await ledger(deployment, crowd)).check()


async def process_of(crowd: Crowd, task: Accepted) -> int:
    """The process in which a `held` task works."""

    def said() -> list[int]:
        return [
            int(found[1])
            for tab in crowd.tabs
            for frame in tab.frames
            if frame["type"] == "task.progress" and frame["task_id"] == task.id
            if (found := re.fullmatch(r"process (\d+)", frame["message"]))
        ]

    tab = crowd.owner(task.id).tabs[0]
    await tab.until(lambda _: bool(said()))
    return said()[-1]


async def test_06_a_worker_killed_in_the_middle_takes_its_processes_with_it(deployment: Deployment) -> None:
    await victim_and_spare(deployment)
    async with Crowd(deployment, people=2) as crowd:
        tasks = await crowd.submit(4, "held")
        children = {task.id: await process_of(crowd, task) for task in tasks}
        [victim] = [worker for worker in deployment.workers if within(children[tasks[0].id], {worker.pid or 0})]
        lost = {task for task, child in children.items() if within(child, {victim.pid or 0})}
        died = time.time()
        await asyncio.to_thread(victim.crash)
        assert not victim.left_behind
        assert not [task for task in lost if alive(children[task])]
        since = await back(deployment, victim, died)
        for task in lost:
            tab = crowd.owner(task).tabs[0]
            await tab.until_ended(task)
            [at] = tab.told(task, "task.started", attempt=2)
            record(6, deployment.backends.name, at - since, deployment.pace.dead_worker())
        for task in children.keys() - lost:
            await crowd.owner(task).person.post(crowd.origin(), f"/tasks/{task}/cancel")
        await crowd.settled()
        (await ledger(deployment, crowd)).check()


async def test_07_an_end_that_nobody_was_told_of_is_heard_by_the_recheck(deployment: Deployment) -> None:
    victim = await victim_and_spare(deployment, "after-finish=kill")
    async with Crowd(deployment, people=2) as crowd:
        died = await submit_until_struck(crowd, victim, "after-finish")
        since = await back(deployment, victim, died)
        await crowd.settled()
        for tab in crowd.tabs:
            for task, heard in tab.ended.items():
                [ended] = tab.told(task, "task.succeeded")
                from_when = max(ended, since) if deployment.backends.embedded else ended
                record(7, deployment.backends.name, max(0.0, heard - from_when), RECHECK)
        (await ledger(deployment, crowd)).check()
