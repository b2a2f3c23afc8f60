"""Row 9: a worker can no longer reach its database. Before its lease ends, and another worker may begin, its work is dead."""

import asyncio
import time

import pytest

from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.proxy import Proxy
from tests.faults.recovery import record
from tests.faults.watching import gone, lease_of, process_of, warmed_up
from tests.servers import PostgreSQL


@pytest.mark.parametrize(("choice", "fault"), [("rabbitmq", "cut"), ("arq", "black hole")], indirect=["choice"])
async def test_09_work_without_the_database_is_dead_before_its_lease_ends(
    deployment: Deployment, postgresql: PostgreSQL, fault: str
) -> None:
    async with Proxy(postgresql.port) as proxy:
        _, cut_off = await deployment.both(worker={"database_url": proxy.url(deployment.database_url)})
        async with Crowd(deployment, people=1) as crowd:
            await warmed_up(crowd)
            [task] = await crowd.submit(1, "held")
            child = await process_of(crowd, task)
            other = await deployment.worker()
            since = time.time()
            if fault == "cut":
                await proxy.cut()
            else:
                proxy.black_hole()
            ended, lease = await asyncio.gather(gone(child), lease_of(deployment.database_url, task.id))
            assert lease is not None
            assert ended < lease
            await crowd.settled()
            [again] = crowd.tabs[0].told(task.id, "task.started", attempt=2)
            assert ended < again
            record(9, deployment.backends.name, again - since, deployment.pace.dead_worker())
            before = await read(deployment.database_url)

            proxy.restore()
            await asyncio.to_thread(other.stop)
            since = time.time()
            [later] = await crowd.submit(1)
            await crowd.settled()
            [started] = crowd.tabs[0].told(later.id, "task.started")
            assert started - since < deployment.pace.lost_hint
            await asyncio.to_thread(cut_off.stop)  # in good order: what it has to write it tries to write
            after = await read(deployment.database_url)
            assert {**before.tasks, later.id: after.tasks[later.id]} == after.tasks
            assert [one for one in after.events if one.task_id != later.id] == before.events
            (await ledger(deployment, crowd)).check()
