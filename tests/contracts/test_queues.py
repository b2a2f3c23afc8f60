"""What every queue keeps to, on each backend's real server."""

import asyncio
import logging
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from app.errors import Unavailable
from app.queues import TaskQueue, open_queue
from app.queues import consumer as consumer_module
from tests.contracts.queue_backends import Arq, Backend, Broker, Memory, RabbitMQ, Worker
from tests.servers import RabbitMQ as RabbitMQServer
from tests.servers import Redis as RedisServer
from tests.servers import Server, free_port

FAST = 1.0  # seconds that a call may take which is to fail at once, on a busy machine too; one that waits takes 5


def ids(number: int) -> list[UUID]:
    return [uuid4() for _ in range(number)]


@pytest.fixture(params=["memory", "rabbitmq", "arq"])
def backend(request: pytest.FixtureRequest) -> Backend:
    match request.param:
        case "rabbitmq":
            return RabbitMQ(request.getfixturevalue("amqp_url"))
        case "arq":
            return Arq(request.getfixturevalue("redis_url"))
        case _:
            return Memory()


@pytest.fixture(params=["rabbitmq", "arq"])
def broker(request: pytest.FixtureRequest) -> Broker:
    if request.param == "rabbitmq":
        return RabbitMQ(request.getfixturevalue("amqp_url"))
    return Arq(request.getfixturevalue("redis_url"))


@pytest.fixture(scope="module", params=["rabbitmq", "arq"])
def mortal(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Broker]]:
    """A server of these tests alone, to be killed; and the queue on it."""
    server: Server
    if request.param == "rabbitmq":
        server = RabbitMQServer(free_port())
        broker: Broker = RabbitMQ(server.url)
    else:
        server = RedisServer(free_port())
        broker = Arq(server.url)
    server.start()
    yield server, broker
    server.close()


@pytest.fixture
def deployment() -> str:
    return f"test-{uuid4().hex[:12]}"


@asynccontextmanager
async def opened(queue: TaskQueue) -> AsyncIterator[TaskQueue]:
    await queue.open()
    try:
        yield queue
    finally:
        await queue.close()


@asynccontextmanager
async def consuming(queue: TaskQueue, worker: Worker, lane: str = "light") -> AsyncIterator[None]:
    task = asyncio.create_task(queue.consume(lane, worker, worker))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled(), "consuming ends by being cancelled alone"


async def eventually(call: Callable[[], Awaitable[None]], within: float = 20) -> None:
    """Try `call` until it raises Unavailable no more."""
    async with asyncio.timeout(within):
        while True:
            try:
                await call()
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def empty(queue: TaskQueue, lane: str = "light") -> None:
    """Wait until no message is left: the last acknowledgement follows the last wake."""
    async with asyncio.timeout(5):
        while await queue.depth(lane):  # noqa: ASYNC110  a broker does not say when
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [1, 16, 100])
async def test_every_hint_arrives(backend: Backend, deployment: str, number: int) -> None:
    light, heavy = Worker(), Worker()
    async with (
        opened(backend.queue(deployment)) as queue,
        consuming(queue, light),
        consuming(queue, heavy, "heavy"),
    ):
        await asyncio.gather(*(queue.wake("light", ids(number)) for _ in range(5)))
        await queue.wake("heavy", ids(2))
        await light.woken_for(5 * number)
        await heavy.woken_for(2)
        await empty(queue)
    assert (light.hints, heavy.hints) == (5 * number, 2)


async def test_hints_wait_for_a_consumer(backend: Backend, deployment: str) -> None:
    worker = Worker()
    async with opened(backend.queue(deployment)) as queue:
        await queue.ping()
        assert await queue.depth("light") == 0
        await queue.wake("light", ids(40))
        await queue.wake("light", [])
        assert await queue.depth("light") == 3, "messages of at most 16 hints, so that several workers get some"
        async with consuming(queue, worker):
            await worker.woken_for(40)
            await empty(queue)


async def test_no_more_wait_than_are_of_use(backend: Backend, deployment: str) -> None:
    async with opened(backend.queue(deployment, most_waiting=5)) as queue:
        for _ in range(9):
            await queue.wake("light", ids(1))
        assert await queue.depth("light") == 5


async def test_a_message_comes_again_when_the_worker_could_not_look(backend: Backend, deployment: str) -> None:
    def fail_once(worker: Worker) -> None:
        if worker.calls == 1:
            raise Unavailable

    worker = Worker(react=fail_once)
    async with opened(backend.queue(deployment)) as queue, consuming(queue, worker):
        await queue.wake("light", ids(3))
        await worker.woken_for(3)
        await empty(queue)


async def test_a_message_comes_again_when_consuming_ends_first(
    backend: Backend, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "SETTLE", 0.2)
    started = asyncio.Event()

    async def hang(_: int) -> None:
        started.set()
        await asyncio.Event().wait()

    worker = Worker()
    async with opened(backend.queue(deployment)) as queue:
        stuck = asyncio.create_task(queue.consume("light", hang, worker))
        await queue.wake("light", ids(3))
        await asyncio.wait_for(started.wait(), 5)
        stuck.cancel()
        await asyncio.wait({stuck})
        async with consuming(queue, worker):
            await worker.woken_for(3)


async def test_ending_lets_a_claim_end(backend: Backend, deployment: str) -> None:
    started, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def claim(_: int) -> None:
        started.set()
        await go_on.wait()
        ended.set()

    async with opened(backend.queue(deployment)) as queue:
        consuming_task = asyncio.create_task(queue.consume("light", claim, Worker()))
        await queue.wake("light", ids(1))
        await asyncio.wait_for(started.wait(), 5)
        consuming_task.cancel()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        await asyncio.wait({consuming_task})
        assert ended.is_set()
        assert await queue.depth("light") == 0, "it was acknowledged"


DYING_CONSUMER = """
import asyncio, sys
from app.queues import arq, open_queue
from tests.contracts.queue_backends import Worker

async def hang(hints):
    print("woken", flush=True)
    await asyncio.Event().wait()

async def main(url, deployment):
    arq.REDELIVER = 1.0
    queue = open_queue(url, deployment=deployment)
    await queue.open()
    await queue.consume("light", hang, Worker())

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_message_comes_again_when_its_consumer_is_killed(broker: Broker, deployment: str) -> None:
    worker = Worker()
    async with opened(broker.queue(deployment)) as queue:
        await queue.wake("light", ids(3))
        dying = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DYING_CONSUMER, broker.url, deployment, stdout=asyncio.subprocess.PIPE
        )
        assert dying.stdout is not None
        assert await asyncio.wait_for(dying.stdout.readline(), 20) == b"woken\n"
        dying.send_signal(signal.SIGKILL)
        await dying.wait()
        async with consuming(queue, worker):
            await worker.woken_for(3)


async def test_a_full_worker_leaves_the_messages_to_others(backend: Backend, deployment: str) -> None:
    full, other = Worker(slots=1, react=lambda worker: worker.set_free(0)), Worker()
    async with opened(backend.queue(deployment)) as queue, opened(backend.queue(deployment)) as queue_of_other:
        for _ in range(20):
            await queue.wake("light", ids(1))
        async with consuming(queue, full):
            await full.woken_for(1)
            async with consuming(queue_of_other, other):
                await other.woken_for(19)
                await queue.wake("light", ids(30))
                await other.woken_for(49)
            assert full.hints == 1
            await queue.wake("light", ids(1))
            full.set_free(1)
            await full.woken_for(2)


async def test_a_hint_that_waits_for_a_slot_is_not_kept(backend: Backend, deployment: str) -> None:
    slots, other = Worker(slots=1), Worker()

    async def filling(_: int) -> None:
        slots.set_free(0)  # by the claim before this one: now there is nothing to claim with
        await asyncio.Event().wait()

    async with opened(backend.queue(deployment)) as queue, opened(backend.queue(deployment)) as queue_of_other:
        held = asyncio.create_task(queue.consume("light", filling, slots))
        for _ in range(3):
            await queue.wake("light", ids(1))
        await slots.wait_full()
        async with consuming(queue_of_other, other):
            await other.woken_for(3)
            await empty(queue)
        held.cancel()
        await asyncio.wait({held})
    assert slots.connections == [True], "that is no reason to leave the broker"


async def test_a_slot_that_comes_free_is_used(backend: Backend, deployment: str) -> None:
    worker = Worker(slots=1, react=lambda worker: worker.set_free(0))
    async with opened(backend.queue(deployment)) as queue, consuming(queue, worker):
        for _ in range(10):
            await queue.wake("light", ids(1))
        for taken in range(1, 11):
            await worker.woken_for(taken)
            assert worker.hints == taken
            worker.set_free(1)


async def test_a_worker_without_a_free_slot_takes_nothing(backend: Backend, deployment: str) -> None:
    full, other = Worker(slots=0), Worker()
    async with opened(backend.queue(deployment)) as queue, consuming(queue, full):
        await queue.wake("light", ids(5))
        async with consuming(queue, other):
            await other.woken_for(5)
        assert full.calls == 0


async def test_deployments_do_not_cross(backend: Backend) -> None:
    ours, theirs = Worker(), Worker()
    async with (
        opened(backend.queue("ours")) as queue,
        opened(backend.queue("theirs")) as other,
        consuming(queue, ours),
        consuming(other, theirs),
    ):
        await other.wake("light", ids(2))
        await theirs.woken_for(2)
        await queue.wake("light", ids(3))
        await ours.woken_for(3)
    assert (ours.hints, theirs.hints) == (3, 2)


async def test_closing_leaves_nothing(backend: Backend, deployment: str) -> None:
    worker = Worker()
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    queue = backend.queue(deployment)
    await queue.open()
    async with consuming(queue, worker), consuming(queue, worker, "heavy"):
        await queue.wake("light", ids(20))
        await worker.woken_for(20)
    await queue.close()
    await queue.close()
    with pytest.raises(Unavailable):
        await queue.wake("light", ids(1))
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() - tasks if not task.done()} == set()
    assert set(threading.enumerate()) <= threads


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"\xff\x00 no text",
        b"no json\r\nlevel=error forged",
        b"[]",
        b'{"v":1,"lane":"light","tasks":[]}',
        b'{"v":1,"lane":"heavy","tasks":["x"]}',
        b'{"v":2,"lane":"light","tasks":["x"]}',
        b'{"f":"os.remove","a":["x"],"k":{},"t":null,"et":99999999999999999999}',
    ],
)
async def test_what_is_not_ours_is_dropped(
    broker: Broker, deployment: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    caplog.set_level(logging.WARNING)
    async with opened(broker.queue(deployment)) as queue, consuming(queue, worker):
        await queue.wake("light", ids(1))
        await worker.woken_for(1)
        await broker.send(deployment, "light", body)
        await queue.wake("light", ids(1))
        await worker.woken_for(2)
        await empty(queue)
    assert worker.hints == 2
    assert "none of ours" in caplog.text
    assert "\nlevel=error forged" not in caplog.text


async def test_a_queue_that_was_deleted_is_made_again(broker: Broker, deployment: str) -> None:
    worker = Worker()
    async with opened(broker.queue(deployment)) as queue:
        async with consuming(queue, worker):
            await queue.wake("light", ids(1))
            await worker.woken_for(1)
            await broker.delete(deployment, "light")
            await queue.wake("light", ids(1))
            await worker.woken_for(2)
        await broker.delete(deployment, "light")
        await queue.wake("light", ids(20))
        assert await queue.depth("light") == 2, "no consumer is needed for that"


async def test_consuming_goes_on_after_a_purge(broker: Broker, deployment: str) -> None:
    worker = Worker(slots=0)
    async with opened(broker.queue(deployment)) as queue:
        await queue.wake("light", ids(40))
        await broker.empty(deployment, "light")
        assert await queue.depth("light") == 0
        async with consuming(queue, worker):
            worker.set_free(1)
            await queue.wake("light", ids(1))
            await worker.woken_for(1)


async def test_a_killed_broker(mortal: tuple[Server, Broker], deployment: str) -> None:
    server, broker = mortal
    worker = Worker()
    async with opened(broker.queue(deployment)) as queue, consuming(queue, worker):
        await queue.wake("light", ids(1))
        await worker.woken_for(1)
        await worker.told(True)
        await asyncio.to_thread(server.kill)
        await worker.told(True, False)
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(Unavailable):
                await queue.wake("light", ids(1))
        assert time.monotonic() - began < FAST * 3
        for call in (queue.ping(), queue.depth("light")):
            with pytest.raises(Unavailable):
                await call
        await asyncio.to_thread(server.start)
        await worker.told(True, False, True)
        await eventually(lambda: queue.wake("light", ids(1)))
        await worker.woken_for(2)


async def test_stored_messages_survive_a_restart(mortal: tuple[Server, Broker], deployment: str) -> None:
    server, broker = mortal
    worker = Worker()
    async with opened(broker.queue(deployment)) as queue:
        await queue.wake("light", ids(40))
        await asyncio.to_thread(server.restart)
        async with consuming(queue, worker):
            await worker.woken_for(40)


async def test_a_broker_that_is_not_there_yet(mortal: tuple[Server, Broker], deployment: str) -> None:
    server, broker = mortal
    worker = Worker()
    await asyncio.to_thread(server.stop)
    async with opened(broker.queue(deployment)) as queue, consuming(queue, worker):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await queue.wake("light", ids(1))
        assert time.monotonic() - began < FAST
        await worker.told(False)
        await asyncio.to_thread(server.start)
        await worker.told(False, True)
        await eventually(lambda: queue.wake("light", ids(20)))
        await worker.woken_for(20)


async def test_a_frozen_broker(mortal: tuple[Server, Broker], deployment: str) -> None:
    server, broker = mortal
    worker = Worker()
    async with opened(broker.queue(deployment)) as queue, consuming(queue, worker):
        await queue.wake("light", ids(1))
        await worker.woken_for(1)
        await asyncio.to_thread(server.freeze)
        try:
            async with asyncio.timeout(6):
                with pytest.raises(Unavailable):
                    await queue.wake("light", ids(1))
            began = time.monotonic()
            for _ in range(20):
                with pytest.raises(Unavailable):
                    await queue.wake("light", ids(1))
            assert time.monotonic() - began < FAST, "known to be away by now"
            await worker.told(True, False)
        finally:
            await asyncio.to_thread(server.thaw)
        await worker.told(True, False, True)
        await eventually(lambda: queue.wake("light", ids(1)))
        await worker.woken_for(2)


async def test_closing_while_the_broker_is_frozen(mortal: tuple[Server, Broker], deployment: str) -> None:
    server, broker = mortal
    queue = broker.queue(deployment)
    tasks = asyncio.all_tasks()
    await queue.open()
    async with consuming(queue, Worker()):
        await queue.wake("light", ids(1))
        await asyncio.to_thread(server.freeze)
        began = time.monotonic()
    try:
        await queue.close()
        assert time.monotonic() - began < 12
    finally:
        await asyncio.to_thread(server.thaw)
    assert {task for task in asyncio.all_tasks() - tasks if not task.done()} == set()


async def test_a_full_broker(mortal: tuple[Server, Broker], deployment: str) -> None:
    server, broker = mortal
    worker = Worker(slots=0)
    async with opened(broker.queue(deployment)) as queue, consuming(queue, worker):
        await queue.wake("light", ids(1))
        await broker.fill(server, full=True)
        try:
            async with asyncio.timeout(6):
                with pytest.raises(Unavailable):
                    await queue.wake("light", ids(1))
            began = time.monotonic()
            for _ in range(10):
                with pytest.raises(Unavailable):
                    await queue.wake("light", ids(1))
            with pytest.raises(Unavailable):
                await queue.ping()
            assert time.monotonic() - began < FAST
        finally:
            await broker.fill(server, full=False)
        await eventually(queue.ping)
        worker.set_free(1)
        await eventually(lambda: queue.wake("light", ids(1)))
        await worker.woken_for(2)


async def test_wrong_credentials_are_told_without_telling_them(
    broker: Broker, deployment: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = broker.url.replace("guest:guest@", "").replace("://", "://nobody:SeCrEt@")
    caplog.set_level(logging.INFO)
    async with opened(open_queue(wrong, deployment=deployment)) as queue:
        with pytest.raises(Unavailable) as refused:
            await queue.wake("light", ids(1))
    assert caplog.text
    assert "SeCrEt" not in caplog.text + str(refused.value)


def test_the_scheme_picks_the_backend() -> None:
    names = {
        scheme: type(open_queue(f"{scheme}://localhost", deployment="x")).__name__
        for scheme in ("memory", "amqp", "amqps", "redis", "rediss")
    }
    assert names == {
        "memory": "MemoryQueue",
        "amqp": "RabbitMQQueue",
        "amqps": "RabbitMQQueue",
        "redis": "ArqQueue",
        "rediss": "ArqQueue",
    }
    with pytest.raises(ValueError, match="kafka"):
        open_queue("kafka://localhost", deployment="x")
