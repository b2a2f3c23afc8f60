"""Row 37: a claim or a finish has committed, and its worker never hears of it."""

import asyncio
import time

import httpx
import pytest

from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Accepted, Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.pace import RECHECK, SLACK
from tests.faults.proxy import POSTGRESQL_DONE, Proxy
from tests.faults.recovery import record
from tests.integration.people import PATIENCE
from tests.servers import PostgreSQL
from workers.doubts import EVERY


async def attempt_that_made_the_artifact(crowd: Crowd, task: Accepted) -> str:
    """What an `only_once` has left."""
    url = f"{crowd.origin()}/api/v1/tasks/{task.id}/artifacts/attempt.txt"
    answer = await crowd.owner(task.id).person.http.get(url)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.text


@pytest.mark.parametrize("choice", ["rabbitmq", "arq"], indirect=True)
async def test_37_what_committed_counts_once_whoever_heard_of_it(backends: Backends, postgresql: PostgreSQL) -> None:
    async with Deployment(backends, workloads="rough") as deployment, Proxy(postgresql.port) as proxy:
        await deployment.both(worker={"database_url": proxy.url(deployment.database_url)})
        async with Crowd(deployment, people=1) as crowd:
            [tab] = crowd.tabs

            async def submit_and_cut(event: bytes, workload: str, **params: object) -> tuple[Accepted, float]:
                """The answer of what makes this event of the task is cut; when."""
                cut = proxy.cut_answer(b"", answer=event, end=POSTGRESQL_DONE)
                [task] = await crowd.submit(1, workload, params)
                async with asyncio.timeout(PATIENCE):
                    await cut.wait()
                return task, time.time()

            claims = [
                await submit_and_cut(b"task.started", "only_once", seconds=0),
                await submit_and_cut(b"task.started", "countdown", seconds=0),
            ]
            for task, _ in claims:
                await tab.until_ended(task.id)
            finishes = [
                await submit_and_cut(b"task.succeeded", "only_once", seconds=0),
                await submit_and_cut(b"task.succeeded", "countdown", seconds=0),
                await submit_and_cut(b"task.failed", "countdown", seconds=0, fail=True),
            ]
            await crowd.settled()
            for task, at in claims:
                [again] = tab.told(task.id, "task.started", attempt=2)
                record(37, backends.name, again - at, EVERY + deployment.pace.lost_hint + SLACK)
            for task, at in finishes:
                record(37, backends.name, crowd.heard(task.id) - at, RECHECK + SLACK)
            rows = (await read(deployment.database_url)).tasks
            assert [(rows[task.id].attempt, rows[task.id].state) for task, _ in claims] == [(2, "succeeded")] * 2
            assert [(rows[task.id].attempt, rows[task.id].state) for task, _ in finishes] == [
                (1, "succeeded"),
                (1, "succeeded"),
                (1, "failed"),
            ]
            assert {row.lost for row in rows.values()} == {0}
            assert await attempt_that_made_the_artifact(crowd, claims[0][0]) == "attempt 2"
            assert await attempt_that_made_the_artifact(crowd, finishes[0][0]) == "attempt 1"
            (await ledger(deployment, crowd)).check()
