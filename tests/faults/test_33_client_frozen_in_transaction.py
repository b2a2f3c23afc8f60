"""Row 33: a client of the database freezes while it holds a lock that events need."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.crowd import Crowd
from tests.faults.deployment import ROOT, Deployment
from tests.faults.ledger import ledger
from tests.faults.pace import SLACK
from tests.faults.recovery import record
from tests.faults.watching import until_stopped

LONGEST = 5.0  # seconds that a frozen transaction holds its locks (idle_in_transaction_session_timeout)


@contextlib.asynccontextmanager
async def frozen_client(database_url: str, user: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that has locked the user's stream."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.frozen_client", database_url, str(user)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert client.stdout
        assert await client.stdout.readline() == b"locked\n"
        await until_stopped(client.pid)
        yield client
    finally:
        with contextlib.suppress(ProcessLookupError):
            client.kill()
        await client.wait()


# Of PostgreSQL alone, whatever the queue.
@pytest.mark.parametrize("choice", ["rabbitmq"], indirect=True)
async def test_33_events_wait_5_s_at_most_for_a_client_that_froze_inside_a_transaction(standing: Deployment) -> None:
    async with Crowd(standing, people=3) as crowd:
        locked, *_ = crowd.members
        async with frozen_client(standing.database_url, locked.user_id) as client:
            since = time.time()
            await crowd.submit(9)
            await crowd.settled()
            took = {member: max(map(crowd.heard, member.accepted)) - since for member in crowd.members}
            assert took[locked] > LONGEST - SLACK, "the lock was held"
            record(33, standing.backends.name, max(took.values()), LONGEST + SLACK)
            client.send_signal(signal.SIGCONT)
            assert await client.wait() == 0
        (await ledger(standing, crowd)).check()
