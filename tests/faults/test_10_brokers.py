"""Rows 10 to 15 and 26 to 28: brokers die, fill up, fall silent, forget, or lose patience; and processes are rolled over under load."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest

from tests.contracts.queue_backends import Arq, Broker
from tests.contracts.queue_backends import RabbitMQ as RabbitMQBroker
from tests.faults.backends import Backends
from tests.faults.books import read
from tests.faults.crowd import Accepted, Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.metronome import METRONOME
from tests.faults.pace import RECHECK, SLACK
from tests.faults.proxy import Proxy
from tests.faults.recovery import record
from tests.faults.tab import MOST_PAUSE
from tests.faults.timing import log_end, slowest, until_logged, until_prompt
from tests.faults.watching import until
from tests.servers import PostgreSQL, RabbitMQ, Redis, Server, free_port

RATE: Final = 25.0  # submits a second
FEW: Final = 15  # submits that are to meet a fault
LIVE_AGAIN: Final = 15.0  # seconds until hints and events flow as ever: a backoff of up to 5 s, and a look at that
RESTARTED: Final = 1012
REFUSED: Final = "the queue does not take wake-ups"
TAKEN: Final = "the queue takes wake-ups again"
DRAIN: Final = 0.5  # seconds
UNACKNOWLEDGED: Final = 0.5  # seconds
LONG: Final = 5 * UNACKNOWLEDGED

only_rabbitmq = pytest.mark.parametrize("battered", ["rabbitmq"], indirect=True)
only_arq = pytest.mark.parametrize("battered", ["arq"], indirect=True)


@dataclass(frozen=True, slots=True)
class Hurt:
    """Two web processes and two workers, who reach their brokers by way of proxies alone. `lost_hint`: seconds, as documented."""

    deployment: Deployment
    rabbitmq: RabbitMQ
    redis: Redis
    queue: Proxy
    events: Proxy

    @property
    def name(self) -> str:
        return self.deployment.backends.name

    @property
    def broker(self) -> Broker:
        """The queue's server, for those who do it harm."""
        return RabbitMQBroker(self.rabbitmq.url) if self.name == "rabbitmq" else Arq(self.redis.url)

    @property
    def late(self) -> float:
        """How late an end may be heard while Redis is away: as long as an event that it lost; where it has the queue too, the task may wait for a poll before."""
        return RECHECK + (SLACK if self.name == "rabbitmq" else self.deployment.pace.lost_hint)

    async def depth(self) -> int:
        """Messages that wait for workers."""
        async with contextlib.AsyncExitStack() as stack:
            queue = self.broker.queue(self.deployment.settings["deployment"])
            await queue.open()
            stack.push_async_callback(queue.close)
            return await queue.depth("light")


class Impatient(RabbitMQ):
    """Takes a consumer for dead that does not acknowledge; the usual patience is 30 minutes."""

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        command, environment = super()._command()
        milliseconds = round(UNACKNOWLEDGED * 1000)
        options = f"-rabbit consumer_timeout {milliseconds} -rabbit channel_tick_interval {milliseconds // 2}"
        return command, {**environment, "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": options}


@pytest.fixture(scope="module")
def mortals() -> Iterator[tuple[RabbitMQ, Redis]]:
    """Brokers of these rows alone, to be killed. RabbitMQ, which is slow to start, may not be ready yet."""
    with closing(Impatient(free_port())) as rabbitmq, closing(Redis(free_port())) as redis:
        rabbitmq.launch()
        redis.start()
        yield rabbitmq, redis


@pytest.fixture(scope="module", params=["arq", "rabbitmq"])
async def battered(
    request: pytest.FixtureRequest, mortals: tuple[RabbitMQ, Redis], postgresql: PostgreSQL
) -> AsyncIterator[Hurt]:
    rabbitmq, redis = mortals
    server: Server = redis
    if request.param == "rabbitmq":
        await asyncio.to_thread(rabbitmq.start)
        server = rabbitmq
    database = f"faults_{uuid4().hex}"
    async with Proxy(server.port) as queue, Proxy(redis.port) as events:
        backends = Backends(
            request.param, postgresql.create_database(database), queue.url(server.url), events.url(redis.url)
        )
        async with Deployment(backends, drain_seconds=str(DRAIN), heavy_slots="1") as deployment:
            await asyncio.gather(deployment.both(), deployment.both())
            yield Hurt(deployment, rabbitmq, redis, queue, events)
            assert [service.errors() for service in deployment.services] == [""] * 4, "none of this is an error of ours"
    postgresql.drop_database(database)


@pytest.fixture
async def hurt(battered: Hurt) -> Hurt:
    """A deployment to be hurt, which has recovered from the row before."""
    await asyncio.to_thread(battered.redis.start)
    if battered.name == "rabbitmq":
        await asyncio.to_thread(battered.rabbitmq.start)
    for proxy in (battered.queue, battered.events):
        proxy.restore()
    await battered.deployment.revive()
    return battered


def takes_wake_ups(web: Server) -> bool:
    """Whether the last that it said of the queue is not a complaint."""
    said = web.log_tail(0, most=1 << 20)
    return said.rfind(TAKEN) >= said.rfind(REFUSED)


async def submitted(accepted: list[Accepted], more: int) -> None:
    """Until so many more tasks of a load in the background have their 202."""
    enough = len(accepted) + more
    await until(lambda: len(accepted) >= enough)


async def under_load(crowd: Crowd, harm: Coroutine[Any, Any, None], cure: Coroutine[Any, Any, None]) -> float:
    """Do harm while tasks keep coming, and cure in the same way, with a quiet time between. Returns how late the latest of all was."""
    async with crowd.keep_going(RATE) as before:
        await submitted(before, FEW)
        await harm
        await submitted(before, FEW)
    await crowd.settled()
    alone = await crowd.submit(1)  # with no other event that gives away what is missing
    await crowd.settled()
    async with crowd.keep_going(RATE) as after:
        await submitted(after, FEW)
        await cure
        await submitted(after, FEW)
    await crowd.settled()
    return slowest(crowd, before + alone + after)


@only_rabbitmq
async def test_10_a_rabbitmq_that_is_killed_and_restarted_loses_nothing(hurt: Hurt) -> None:
    async with Crowd(hurt.deployment, people=3) as crowd:
        late = await under_load(crowd, asyncio.to_thread(hurt.rabbitmq.kill), asyncio.to_thread(hurt.rabbitmq.start))
        record(10, hurt.name, late, hurt.deployment.pace.lost_hint)
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()


@only_rabbitmq
async def test_12_a_rabbitmq_without_room_delays_no_answer(hurt: Hurt) -> None:
    web = hurt.deployment.webs[0]
    async with Crowd(hurt.deployment, people=3, origins=[web.url]) as crowd:
        async with crowd.keep_going(
            RATE
        ):  # workers that poll make tasks prompt before the broker is back from the row before
            await until(lambda: takes_wake_ups(web))
        began = log_end(web)
        await hurt.broker.fill(hurt.rabbitmq, full=True)
        try:
            async with crowd.keep_going(RATE) as accepted:
                await submitted(accepted, FEW)
                await until_logged(web, REFUSED, began)
                await submitted(accepted, FEW)
            await crowd.settled()
        finally:
            await hurt.broker.fill(hurt.rabbitmq, full=False)
        assert {task.tries for task in accepted} == {1}, "each had its 202 at once"
        assert max(task.at - task.asked for task in accepted) < SLACK * METRONOME.slower(SLACK), (
            "and never waited for the broker"
        )
        record(12, hurt.name, slowest(crowd, accepted), hurt.deployment.pace.lost_hint)
        async with crowd.keep_going(RATE):
            await until_logged(web, TAKEN, began)
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()


@pytest.mark.parametrize("harm", ["delete", "empty"])
async def test_13_a_queue_that_is_gone_from_the_broker_is_made_again(hurt: Hurt, harm: str) -> None:
    async with Crowd(hurt.deployment, people=3) as crowd:
        async with crowd.keep_going(RATE) as accepted:
            for _ in range(5):
                await submitted(accepted, FEW // 3)
                await getattr(hurt.broker, harm)(hurt.deployment.settings["deployment"], "light")
        await crowd.settled()
        record(13, hurt.name, slowest(crowd, accepted), hurt.deployment.pace.lost_hint)
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()


@only_arq
async def test_28_a_redis_that_is_flushed_forgets_hints_and_no_task(hurt: Hurt) -> None:
    workers = hurt.deployment.workers
    async with Crowd(hurt.deployment, people=3) as crowd:
        for worker in workers:
            await asyncio.to_thread(worker.freeze)
        try:
            waiting = await crowd.submit(40)
            assert await hurt.depth() > 0, "there are jobs to lose"
            while await hurt.depth():  # what was not yet on its way with the 202 too
                await hurt.broker.empty(hurt.deployment.settings["deployment"], "light")
        finally:
            for worker in workers:
                await asyncio.to_thread(worker.thaw)
        thawed = time.time()
        await crowd.settled()
        last = max(crowd.heard(task.id) for task in waiting)
        record(28, hurt.name, last - thawed, hurt.deployment.pace.lost_hint)
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()


async def test_14_a_redis_that_is_killed_and_restarted_makes_events_late_at_most(hurt: Hurt) -> None:
    async with Crowd(hurt.deployment, people=3) as crowd:
        late = await under_load(crowd, asyncio.to_thread(hurt.redis.kill), asyncio.to_thread(hurt.redis.start))
        record(14, hurt.name, late, hurt.late)
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()


async def test_15_a_redis_that_swallows_everything_makes_events_late_at_most(hurt: Hurt) -> None:
    proxies = [hurt.events] if hurt.name == "rabbitmq" else [hurt.events, hurt.queue]

    async def swallow() -> None:
        for proxy in proxies:
            proxy.black_hole()

    async def restore() -> None:
        for proxy in proxies:
            proxy.restore()

    async with Crowd(hurt.deployment, people=3) as crowd:
        late = await under_load(crowd, swallow(), restore())
        record(15, hurt.name, late, hurt.late)
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()


async def test_26_a_rolling_restart_loses_nothing_and_sockets_resume(hurt: Hurt) -> None:
    async with Crowd(hurt.deployment, people=3) as crowd:
        running = await crowd.submit(6, params={"seconds": 1})
        async with crowd.keep_going(RATE) as accepted:
            for rolled in zip(hurt.deployment.webs, hurt.deployment.workers, strict=True):
                await submitted(accepted, FEW)
                await asyncio.gather(*(asyncio.to_thread(one.restart) for one in rolled))
            await submitted(accepted, FEW)
        await crowd.settled()
        record(26, hurt.name, slowest(crowd, accepted), DRAIN + MOST_PAUSE + hurt.deployment.pace.lost_hint)
        for tab in crowd.tabs:
            ended = [one for one in tab.connections[:-1] if one.frames]
            assert {one.code for one in ended} == {RESTARTED}, "each was told to come back"
        await until_prompt(crowd, LIVE_AGAIN)
        (await ledger(hurt.deployment, crowd)).check()
        rows = (await read(hurt.deployment.database_url)).tasks
        assert {(rows[task.id].state, rows[task.id].lost, rows[task.id].errors) for task in running} == {
            ("succeeded", 0, 0)
        }


@only_rabbitmq
async def test_27_neither_long_tasks_nor_far_ones_hold_messages(hurt: Hurt) -> None:
    """A message is acknowledged once its claim has committed, and what is to run in a month has none yet."""
    began, connections = log_end(hurt.rabbitmq), hurt.queue.accepted
    async with Crowd(hurt.deployment, people=2) as crowd:
        long = await crowd.submit(3, "held", {"seconds": LONG})  # two run at once, the third waits for one of them
        far = await crowd.submit(1, run_at=(datetime.now(UTC) + timedelta(days=30)).isoformat(), ends=False)
        await crowd.submit(FEW)
        await crowd.settled()
        assert await hurt.depth() == 0
        (await ledger(hurt.deployment, crowd)).check()
        rows = (await read(hurt.deployment.database_url)).tasks
        assert {(rows[task.id].state, rows[task.id].attempt) for task in long} == {("succeeded", 1)}
        assert {(rows[task.id].state, rows[task.id].attempt) for task in far} == {("queued", 0)}
    assert hurt.queue.accepted == connections, "no consumer was cut off"
    assert "timed out" not in hurt.rabbitmq.log_tail(began, most=1 << 20)


@only_rabbitmq
async def test_11_a_rabbitmq_that_dies_right_after_the_queues_declaration_is_not_needed(hurt: Hurt) -> None:
    async with Crowd(hurt.deployment, people=3) as crowd:
        await hurt.broker.delete(hurt.deployment.settings["deployment"], "light")
        first = await crowd.submit(1)
        await crowd.settled()
        await asyncio.to_thread(hurt.rabbitmq.kill)
        async with crowd.keep_going(RATE) as accepted:
            await submitted(accepted, 3 * FEW)
        await crowd.settled()
        record(11, hurt.name, slowest(crowd, first + accepted), hurt.deployment.pace.lost_hint)
        (await ledger(hurt.deployment, crowd)).check()


@pytest.mark.parametrize("choice", ["rabbitmq"], indirect=True)
async def test_11_a_rabbitmq_that_was_never_there_is_not_needed(backends: Backends) -> None:
    nowhere = Proxy(free_port())  # not opened: nobody listens on its port
    async with Deployment(backends.by(queue=nowhere.url(backends.queue))) as deployment:
        await deployment.both()
        async with Crowd(deployment, people=3) as crowd:
            async with crowd.keep_going(RATE) as accepted:
                await submitted(accepted, 3 * FEW)
            await crowd.settled()
            record(11, backends.name, slowest(crowd, accepted), deployment.pace.lost_hint)
            (await ledger(deployment, crowd)).check()
