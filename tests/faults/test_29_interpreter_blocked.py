"""Row 29: work that leaves the interpreter no time. Its worker's heart beats on, and nobody takes the task away."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.pace import PACE
from tests.faults.recovery import record
from tests.faults.watching import LOOK_EVERY, lease_of, process_of, until_says, warmed_up


async def leases_of(deployment: Deployment, task: str) -> list[float]:
    """Every end of the task's lease, one for each heartbeat, from its start to its end; the loop that runs it may be blocked meanwhile."""
    found: list[float] = []
    while True:
        lease = await lease_of(deployment.database_url, task)
        if lease is None:
            return found
        if lease not in found:
            found.append(lease)
        await asyncio.sleep(LOOK_EVERY)


# The heart knows nothing of queues: one with each database.
@pytest.mark.parametrize("choice", ["rabbitmq", "dev"], indirect=True)
async def test_29_a_heart_beats_on_while_work_blocks_its_interpreter(backends: Backends) -> None:
    # Three that compute leave the others of a small machine little time, too: the usual short lease would end for that alone.
    pace = replace(PACE, lease=max(PACE.lease, 5.0))
    async with Deployment(backends, pace=pace, workloads="held,rough") as deployment:
        await deployment.both()
        async with Crowd(deployment, people=1) as crowd:
            await warmed_up(crowd)
            blocked = {"seconds": 2 * pace.lease}
            [seizing] = await crowd.submit(1, "seizing", blocked)
            await process_of(crowd, seizing)
            [burning] = await crowd.submit(1, "burning", blocked)
            await until_says(crowd, burning, "burns")
            watching = asyncio.create_task(leases_of(deployment, burning.id))
            submitting = asyncio.create_task(crowd.submit(1, "blocking", blocked))
            if not backends.embedded:
                await submitting
                await deployment.worker()  # one that would take over what looks dead
            leases = await watching
            await submitting
            await crowd.settled()
            gaps = [later - earlier for earlier, later in pairwise(leases)]
            assert sum(gaps) > pace.lease
            record(29, backends.name, max(gaps), pace.fence)
            rows = (await read(deployment.database_url)).tasks
            assert {(row.state, row.attempt, row.lost) for row in rows.values()} == {("succeeded", 1, 0)}
            (await ledger(deployment, crowd)).check()
