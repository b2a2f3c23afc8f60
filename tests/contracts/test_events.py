"""What the fanout keeps to, in memory and on a real Redis, also while that Redis dies; and what a hub makes of it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import ConnectionPool
from redis.asyncio import Redis as AsyncRedis

from app.errors import Unavailable
from app.events.fanout import Fanout
from app.events.follower import Follower
from app.events.hub import RECHECK, Hub
from app.events.model import GAP, Frame, Gap, Position
from app.events.redis_backend import ANSWER_WITHIN, MOST_WAITING, RedisBackend
from tests.contracts.memory_log import MemoryLog, frame_of, progress_of
from tests.servers import Redis, free_port

KEY = b"the key of these tests"
EPOCH = "epoch-1"
SOON = 5.0  # seconds that anything may take which is to happen at once

Arrivals = AsyncIterator[list[Frame] | Gap]


@pytest.fixture
def deployment() -> str:
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else "memory://"


@pytest.fixture(scope="module")
def mortal() -> Iterator[Redis]:
    """A Redis of these tests alone, to be killed."""
    server = Redis(free_port())
    server.start()
    yield server
    server.close()


@contextlib.asynccontextmanager
async def opened(url: str, deployment: str, *, key: bytes = KEY, epoch: str = EPOCH) -> AsyncIterator[Fanout]:
    fanout = Fanout(url, deployment=deployment, key=key, epoch=epoch)
    await fanout.open()
    try:
        yield fanout
    finally:
        await fanout.close()


@pytest.fixture
async def here(url: str, deployment: str) -> AsyncIterator[Fanout]:
    async with opened(url, deployment) as fanout:
        yield fanout


@pytest.fixture
async def there(url: str, deployment: str, here: Fanout) -> AsyncIterator[Fanout]:
    """The same deployment's fanout in another process, where the broker lets processes share."""
    if url == "memory://":
        yield here
        return
    async with opened(url, deployment) as fanout:
        yield fanout


async def next_of(arrivals: Arrivals) -> list[Frame] | Gap:
    async with asyncio.timeout(SOON):
        return await anext(arrivals)


@contextlib.asynccontextmanager
async def listening(fanout: Fanout, user_id: int) -> AsyncIterator[Arrivals]:
    """A subscription that is in force."""
    async with fanout.subscribe(user_id) as arrivals:
        assert isinstance(await next_of(arrivals), Gap)
        yield arrivals


async def signals_of(fanout: Fanout, topic: str) -> tuple[asyncio.Queue[dict[str, Any]], "asyncio.Task[None]"]:
    """Signals as they come, once their subscription is in force."""
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    listener = asyncio.create_task(fanout.subscribe_signals(topic, heard.put))
    async with asyncio.timeout(SOON):
        while heard.empty():
            await fanout.signal(topic, {"ready": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    assert await heard.get()
                    break
    return heard, listener


async def stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- Fanout ---


async def test_frames_arrive_as_they_were_published(here: Fanout, there: Fanout) -> None:
    frames = [frame_of(1, 1), frame_of(1, 2, final=True), Frame(1, 3, '{"name":"Grüße, 世界 \\n"}', "t", final=False)]
    async with listening(here, 1) as arrivals:
        await there.publish(frames)
        assert await next_of(arrivals) == frames


async def test_a_user_hears_of_its_own_events_alone(here: Fanout, there: Fanout) -> None:
    async with listening(here, 1) as first, listening(here, 2) as second:
        await there.publish([frame_of(1, 1), frame_of(2, 1), frame_of(3, 1), frame_of(1, 2)])
        assert await next_of(first) == [frame_of(1, 1), frame_of(1, 2)]
        assert await next_of(second) == [frame_of(2, 1)]


async def test_both_of_two_first_subscribers_hear(here: Fanout, there: Fanout) -> None:
    async with contextlib.AsyncExitStack() as stack:
        both = await asyncio.gather(*(stack.enter_async_context(here.subscribe(1)) for _ in range(2)))
        for arrivals in both:
            assert isinstance(await next_of(arrivals), Gap)
        await there.publish([frame_of(1, 1)])
        for arrivals in both:
            while isinstance(item := await next_of(arrivals), Gap):
                pass
            assert item == [frame_of(1, 1)]


async def test_one_who_comes_back_hears_again(here: Fanout, there: Fanout) -> None:
    for seq in range(1, 20):
        async with listening(here, 1) as arrivals:
            await there.publish([frame_of(1, seq)])
            assert await next_of(arrivals) == [frame_of(1, seq)]


async def test_a_message_with_another_key_is_dropped_and_logged(
    url: str, deployment: str, here: Fanout, there: Fanout, caplog: pytest.LogCaptureFixture
) -> None:
    if url == "memory://":
        await forge(here, f"{deployment}:user:1", b"x" * 200)
    else:
        async with opened(url, deployment, key=b"another key") as forger, listening(here, 1) as arrivals:
            await forger.publish([frame_of(1, 1)])
            await there.publish([frame_of(1, 2)])
            assert await next_of(arrivals) == [frame_of(1, 2)]
        assert "wrong signature" in caplog.text


async def forge(fanout: Fanout, channel: str, message: bytes) -> None:
    """Publish what Taskline did not make."""
    await fanout._broadcast.publish(channel, message)


@pytest.mark.parametrize("message", [b"", b"x", b"x" * 16, b"\x00" * 5000])
async def test_garbage_harms_nobody(deployment: str, here: Fanout, there: Fanout, message: bytes) -> None:
    heard, listener = await signals_of(here, "session")
    async with listening(here, 1) as arrivals:
        await forge(there, f"{deployment}:user:1", message)
        await forge(there, f"{deployment}:signal:session", message)
        await there.publish([frame_of(1, 1)])
        await there.signal("session", {"user": 1})
        while isinstance(item := await next_of(arrivals), Gap):
            pass
        assert item == [frame_of(1, 1)]
        async with asyncio.timeout(SOON):
            while await heard.get() != {"user": 1}:
                pass
    await stopped(listener)


async def test_a_message_of_another_user_or_kind_cannot_be_replayed(
    deployment: str, here: Fanout, there: Fanout
) -> None:
    async with listening(here, 1) as arrivals:
        await forge(there, f"{deployment}:user:1", there._seal.frames(EPOCH, 2, [frame_of(2, 1)]))
        await forge(there, f"{deployment}:user:1", there._seal.signal({"user": 1}))
        await there.publish([frame_of(1, 2)])
        assert await next_of(arrivals) == [frame_of(1, 2)]


async def test_events_of_another_epoch_are_dropped(here: Fanout, there: Fanout, deployment: str) -> None:
    async with listening(here, 1) as arrivals:
        await forge(there, f"{deployment}:user:1", there._seal.frames("an older epoch", 1, [frame_of(1, 9)]))
        await there.publish([frame_of(1, 2)])
        assert await next_of(arrivals) == [frame_of(1, 2)]


async def test_signals_reach_those_who_listen_to_their_topic(here: Fanout, there: Fanout) -> None:
    heard, listener = await signals_of(here, "session")
    await there.signal("catalogue", {"changed": True})
    await there.signal("session", {"user": 7, "sessions": ["ab"]})
    async with asyncio.timeout(SOON):
        while (signal := await heard.get()) == {"ready": True}:
            pass
    assert signal == {"user": 7, "sessions": ["ab"]}
    await stopped(listener)


async def test_a_signal_that_is_not_heeded_spoils_no_other(here: Fanout) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def heed(payload: dict[str, Any]) -> None:
        await heard.put(payload["number"])
        if payload["number"] == 1:
            raise ValueError

    listener = asyncio.create_task(here.subscribe_signals("numbers", heed))
    async with asyncio.timeout(SOON):
        for number in (1, 2):
            while heard.empty():
                await here.signal("numbers", {"number": number})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        while await heard.get() != number:
                            pass
                        break
    await stopped(listener)


# --- Redis alone ---


async def test_progress_comes_from_other_processes_only(redis_url: str, deployment: str) -> None:
    async with (
        opened(redis_url, deployment) as here,
        opened(redis_url, deployment) as there,
        listening(here, 1) as arrivals,
    ):
        await here.publish([progress_of(1, "t", 0.1), frame_of(1, 1)])
        assert await next_of(arrivals) == [frame_of(1, 1)]
        await there.publish([progress_of(1, "t", 0.2)])
        assert await next_of(arrivals) == [progress_of(1, "t", 0.2)]


async def test_deployments_on_one_redis_do_not_meet(redis_url: str, deployment: str) -> None:
    other = f"{deployment}-b"
    async with opened(redis_url, deployment) as here, opened(redis_url, other) as there, listening(here, 1) as arrivals:
        await there.publish([frame_of(1, 1)])
        await here.publish([frame_of(1, 2)])
        assert await next_of(arrivals) == [frame_of(1, 2)]


async def test_all_messages_of_a_call_go_in_one_round_trip(redis_url: str, deployment: str) -> None:
    frames = [frame_of(user, 1) for user in range(1, 201)]
    async with (
        opened(redis_url, deployment) as here,
        AsyncRedis.from_pool(ConnectionPool.from_url(redis_url)) as client,
    ):
        await here.publish(frames[:1])
        before = (await client.info("stats"))["total_reads_processed"]
        await here.publish(frames)
        assert (await client.info("stats"))["total_reads_processed"] - before < 10


async def test_messages_that_nobody_takes_are_dropped_with_a_gap(redis_url: str, deployment: str) -> None:
    backend = RedisBackend(redis_url)
    await backend.connect()
    await backend.subscribe(deployment)
    async with asyncio.timeout(SOON):
        assert (await backend.next_published()).message == GAP
        while len(backend._messages) < MOST_WAITING or not backend._gaps:
            await backend.publish_all([(deployment, b"message")] * 500)
        assert (await backend.next_published()).message == GAP
        assert (await backend.next_published()).message == b"message"
    await backend.disconnect()


# --- A Redis that dies ---


@contextlib.contextmanager
def measured(what: str, record: Callable[[str, object], None]) -> Iterator[None]:
    """How long a recovery took, into the report of the run."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    record(what, round(took, 2))
    logging.getLogger("recovery").info("%s: %.2f s", what, took)


@contextlib.asynccontextmanager
async def following(hub: Hub, user_id: int) -> AsyncIterator[tuple[Follower, Position]]:
    with hub.follow(user_id) as follower:
        async with asyncio.timeout(SOON):
            welcome = await anext(follower)
        assert isinstance(welcome, Position)
        yield follower, welcome


async def read_to(follower: Follower, seq: int, within: float) -> None:
    """Take the follower's events up to `seq`, which come in order."""
    async with asyncio.timeout(within):
        while (follower.cursor or 0) < seq:
            before = follower.cursor or 0
            item = await anext(follower)
            assert isinstance(item, Frame)
            assert item.seq == before + 1


@contextlib.asynccontextmanager
async def two_processes(url: str, deployment: str) -> AsyncIterator[tuple[MemoryLog, Hub, Fanout]]:
    """A hub, and the fanout of another process that commits to the same log."""
    events = MemoryLog()
    async with opened(url, deployment) as here, opened(url, deployment) as there:
        hub = Hub(events, here)
        await hub.open()
        try:
            yield events, hub, there
        finally:
            await hub.close()


async def live_again(events: MemoryLog, follower: Follower, there: Fanout) -> None:
    """Until an event comes by Redis, sooner than the recheck would find it."""
    async with asyncio.timeout(30):
        while True:
            frames = events.commit(1)
            await there.publish(frames)
            began = time.monotonic()
            await read_to(follower, events.head(1), RECHECK + SOON)
            if time.monotonic() - began < 0.05:
                return


async def test_a_redis_that_is_killed_and_restarted(
    mortal: Redis, deployment: str, record_property: Callable[[str, object], None]
) -> None:
    async with two_processes(mortal.url, deployment) as (events, hub, there), following(hub, 1) as (follower, _):
        await live_again(events, follower, there)
        await asyncio.to_thread(mortal.kill)
        await there.publish(events.commit(1, 3))
        with measured("event while Redis is down", record_property):
            await read_to(follower, events.head(1), RECHECK + 1)
        await asyncio.to_thread(mortal.start)
        with measured("live again after Redis is back", record_property):
            await live_again(events, follower, there)


async def test_a_redis_that_is_a_black_hole(
    mortal: Redis, deployment: str, record_property: Callable[[str, object], None]
) -> None:
    async with two_processes(mortal.url, deployment) as (events, hub, there), following(hub, 1) as (follower, _):
        await live_again(events, follower, there)
        await asyncio.to_thread(mortal.freeze)
        try:
            with measured("publish into a black hole", record_property):
                async with asyncio.timeout(ANSWER_WITHIN + 1):
                    await there.publish(events.commit(1))
            with measured("the next publish, which is spared", record_property):
                async with asyncio.timeout(0.1):
                    await there.publish(events.commit(1))
            with measured("event while Redis is a black hole", record_property):
                await read_to(follower, events.head(1), RECHECK + 1)
        finally:
            await asyncio.to_thread(mortal.thaw)
        with measured("live again after the black hole", record_property):
            await live_again(events, follower, there)


async def test_a_redis_that_comes_later(deployment: str, record_property: Callable[[str, object], None]) -> None:
    server = Redis(free_port())
    try:
        async with two_processes(server.url, deployment) as (events, hub, there), following(hub, 1) as (follower, _):
            with pytest.raises(Unavailable):
                await there.ping()
            await there.publish(events.commit(1))
            with measured("event without any Redis", record_property):
                await read_to(follower, 1, RECHECK + 1)
            await asyncio.to_thread(server.start)
            with measured("live after Redis has come", record_property):
                await live_again(events, follower, there)
            await there.ping()
    finally:
        server.close()


async def test_what_redis_loses_comes_with_the_recheck(redis_url: str, deployment: str) -> None:
    async with two_processes(redis_url, deployment) as (events, hub, there), following(hub, 1) as (follower, _):
        await live_again(events, follower, there)
        for number in range(200):
            frames = events.commit(1)
            if number % 5:
                await there.publish(frames)
        await read_to(follower, events.head(1), RECHECK + 1)
