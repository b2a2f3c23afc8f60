"""Row 23: a task that kills whatever runs it kills one worker at most, and its neighbours outlive it."""

import asyncio
import time

from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment, Process
from tests.faults.ledger import ledger
from tests.faults.recovery import record
from tests.faults.watching import gone, until_says, warmed_up

ATTEMPTS = 3


async def first_to_die(workers: list[Process]) -> Process:
    """Until one of the workers has ended: which."""
    ending = {asyncio.create_task(gone(worker.pid or 0)): worker for worker in workers}
    done, others = await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    dead = ending[done.pop()]
    await asyncio.to_thread(dead.wait_ended)
    return dead


async def test_23_a_task_that_kills_its_worker_ends_as_lost_and_takes_no_other_with_it(backends: Backends) -> None:
    async with Deployment(backends, workloads="held,rough", heavy_slots="4") as deployment:
        await deployment.both()
        if not backends.embedded:
            await deployment.worker()
        workers = list(deployment.workers)
        async with Crowd(deployment, people=2) as crowd:
            await warmed_up(crowd)
            poisoned, neighbour = crowd.members
            # Beside it on the loops, and in processes.
            others = await crowd.submit(8, params={"seconds": 2}, by=neighbour)
            others += await crowd.submit(2, "held", {"seconds": 1}, by=neighbour)
            for task in others[:8]:
                await until_says(crowd, task, ".* left")
            since = time.time()
            submitting = asyncio.create_task(crowd.submit(1, "poison", {}, by=poisoned))
            dead = await first_to_die(workers)
            new = await deployment.replace(dead)
            [poison] = await submitting
            workers = [worker for worker in workers if worker is not dead] + [new]
            pids = [worker.pid for worker in workers]
            await crowd.settled()

            pace = deployment.pace
            later = sum(min(300, 2**attempt) for attempt in range(2, ATTEMPTS))  # the backoffs of its own processes
            bound = pace.dead_worker() + later + ATTEMPTS * pace.lost_hint
            record(23, backends.name, crowd.heard(poison.id) - since, bound)
            answer = await poisoned.person.task(crowd.origin(), poison.id)
            assert (answer["state"], answer["attempt"], answer["error"]["kind"]) == ("failed", ATTEMPTS, "lost")
            assert "exit status 1" in answer["error"]["message"]
            assert answer["error"]["hint"]
            assert [worker.pid for worker in workers] == pids, "no other worker died"
            rows = (await read(deployment.database_url)).tasks
            assert rows[poison.id].lost == 1
            assert {rows[task.id].state for task in others} == {"succeeded"}
            assert max(rows[task.id].lost for task in others) <= 1
            (await ledger(deployment, crowd)).check()
