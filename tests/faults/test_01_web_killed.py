"""Rows 1 to 4: a web process dies at each moment of a submit. Whoever repeats the key has one task, and one result."""

import asyncio
import time

import pytest

from tests.faults.books import read
from tests.faults.crowd import Accepted, Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.recovery import record

STARTS_WITHIN = 10.0  # seconds for a task whose hint was never sent
PLACES = {1: "before-submit", 2: "after-submit", 3: "before-dispatch", 4: "after-dispatch"}


async def killed_at(deployment: Deployment, crowd: Crowd, place: str) -> tuple[Accepted, list[str], float]:
    """Submit once while the web process dies at `place`, and start it again: the submit, the rows that it had left, and when it died or, where the worker died with it, was back."""
    web = deployment.webs[0]
    submitting = asyncio.create_task(crowd.submit(1))
    await asyncio.to_thread(web.wait_ended)
    died = web.struck(place)
    assert died
    left = list((await read(deployment.database_url)).tasks)
    await deployment.replace(web)
    since = time.time() if deployment.backends.embedded else died
    [one] = await submitting
    await crowd.settled()
    return one, left, since


@pytest.mark.parametrize("row", PLACES)
async def test_01_to_04_a_killed_web_process_neither_loses_nor_doubles(deployment: Deployment, row: int) -> None:
    await deployment.both(web={"failpoints": f"{PLACES[row]}=kill"})
    async with Crowd(deployment, people=1) as crowd:
        one, left, since = await killed_at(deployment, crowd, PLACES[row])
        [started] = crowd.tabs[0].told(one.id, "task.started")
        if row == 1:
            assert left == []
        else:
            assert left == [one.id], "the key found what was committed"
            record(
                row, deployment.backends.name, max(0.0, started - since), min(STARTS_WITHIN, deployment.pace.lost_hint)
            )
        if row <= 2:
            assert one.tries > 1
        assert (await crowd.repeat(one)).json()["id"] == one.id
        (await ledger(deployment, crowd)).check()
