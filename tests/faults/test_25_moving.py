"""Rows 25 and 35: a deployment moves to another broker with its tasks in flight; and two deployments share all their brokers."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.faults.backends import Backends, Choice
from tests.faults.books import read
from tests.faults.crowd import Accepted, Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.recovery import record
from tests.faults.timing import slowest, until_prompt
from tests.faults.watching import until

FEW: Final = 15
LONG: Final = 3.0  # seconds
HELD: Final = 5.0  # seconds for six tasks of half a second in two or more processes
SLOTS: Final = 4
DRAIN: Final = 0.5  # seconds
PROMPT_AGAIN: Final = 15.0  # seconds


@pytest.mark.parametrize("choice", ["rabbitmq"], indirect=True)
async def test_25_tasks_in_flight_outlive_a_move_from_rabbitmq_to_arq(backends: Backends) -> None:
    """Every process is stopped, and others start with the other URL. What waits at the old broker is never asked for again."""
    arq = {"queue_url": backends.events}
    async with Deployment(backends, light_slots=str(SLOTS), drain_seconds=str(DRAIN)) as deployment:
        web, worker = await deployment.both()
        origins = [web.url]
        async with Crowd(deployment, people=3, origins=origins) as crowd:
            scheduled = await crowd.submit(3, run_at=(datetime.now(UTC) + timedelta(seconds=LONG)).isoformat())
            running = await crowd.submit(SLOTS, params={"seconds": LONG})
            await until(lambda: all(_told(crowd, task, "task.started") for task in running))
            waiting = await crowd.submit(FEW)
            await asyncio.gather(*(asyncio.to_thread(one.stop) for one in (web, worker)))
            web, _ = await deployment.both(web=arq, worker=arq)
            origins[:] = [web.url]
            moved = time.time()
            await crowd.submit(FEW)
            await crowd.settled()
            late = max(crowd.heard(task.id) for task in waiting) - moved
            record(25, deployment.backends.name, late, LONG + deployment.pace.lost_hint)
            await until_prompt(crowd, PROMPT_AGAIN)
            (await ledger(deployment, crowd)).check()
            rows = (await read(deployment.database_url)).tasks
            assert {(rows[task.id].state, rows[task.id].lost) for task in running + scheduled} == {("succeeded", 0)}
            # A claim whose answer comes late on a busy machine is handed back too.
            assert min(rows[task.id].attempt for task in running) >= 2, "they were handed back, and started again"


def _told(crowd: Crowd, task: Accepted, kind: str) -> bool:
    return any(tab.last.get(task.id) == kind for tab in crowd.tabs)


@pytest.mark.parametrize("choice", ["rabbitmq", "arq"])
async def test_35_two_deployments_on_the_same_brokers_do_not_meet(
    backends_of: Callable[[Choice], Backends], choice: Choice
) -> None:
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(Deployment(backends_of(choice))) for _ in range(2)]
        assert both[0].backends.queue == both[1].backends.queue
        assert both[0].backends.events == both[1].backends.events
        await asyncio.gather(*(one.both() for one in both))
        crowds = [await stack.enter_async_context(Crowd(one, people=3, tabs=2)) for one in both]
        ours, theirs = ({member.user_id for member in crowd.members} for crowd in crowds)
        assert ours == theirs, "the same numbers, other people"
        await asyncio.gather(*(crowd.submit(60) for crowd in crowds), crowds[0].submit(6, "held", {"seconds": 0.5}))
        for deployment, crowd in zip(both, crowds, strict=True):
            await crowd.settled()
            record(35, choice, slowest(crowd, crowd.accepted.values()), deployment.pace.lost_hint + HELD)
            (await ledger(deployment, crowd)).check()
            for process in deployment.services:
                assert "was dropped" not in process.said(), "it has not even seen a message of the others"
