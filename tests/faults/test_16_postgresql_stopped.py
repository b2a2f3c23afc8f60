"""Row 16: PostgreSQL is stopped at once while submits commit. Who got no 202 does not know; the key tells."""

import asyncio
import time

import pytest

from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.pace import RECHECK
from tests.faults.recovery import record
from tests.servers import PostgreSQL

MANY = 400
BEFORE = 10  # ends that each tab has heard when it happens


@pytest.mark.parametrize("choice", ["rabbitmq", "arq"], indirect=True)
async def test_16_each_submit_that_a_stop_of_the_database_leaves_unknown_is_resolved_by_its_key(
    deployment: Deployment, postgresql: PostgreSQL
) -> None:
    services = await deployment.both()
    async with Crowd(deployment, people=4) as crowd:
        submitting = asyncio.create_task(crowd.submit(MANY, at_once=64))
        await asyncio.gather(*(tab.until(lambda tab: len(tab.ended) >= BEFORE) for tab in crowd.tabs))
        await asyncio.to_thread(postgresql.stop_immediate)
        assert not submitting.done()
        await asyncio.to_thread(postgresql.start)
        since = time.time()
        submits = await submitting
        await crowd.settled()
        unknown = [one for one in submits if one.tries > 1]
        assert unknown
        record(
            16,
            deployment.backends.name,
            max(crowd.heard(one.id) for one in submits) - since,
            deployment.pace.lost_hint + RECHECK,
        )
        for one in unknown[:20]:
            assert (await crowd.repeat(one)).json()["id"] == one.id
        (await ledger(deployment, crowd)).check()
    for service in services:
        errors = [line for line in service.said().splitlines() if " ERROR app." in line or " ERROR workers." in line]
        # A worker that was cut off for too long says that it kills its work.
        assert not [line for line in errors if " ERROR workers.heart: " not in line], "an outage is no surprise"
