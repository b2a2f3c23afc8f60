"""A broadcaster backend on Redis that outlives Redis.

broadcaster's own one hears nothing for ever once Redis was restarted, and loses one of two first subscribers that come at the same time. Here `subscribe`
only notes what is wanted; one task keeps the connection, subscribes again after each loss, finds a black hole by a missing pong, and announces each
(re)subscription as a `GAP`: from there on nothing is missed, but something may have been before.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import Any, Final

import redis.asyncio
from broadcaster import BroadcastBackend, Event
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from app.batch import Batcher
from app.errors import Unavailable

log = logging.getLogger(__name__)

GAP: Final = ""  # the message that tells of a (re)subscription
SILENT: Final = 1.5  # seconds without anything from Redis, after which it is asked for a pong; as long again without one and the connection is given up
CONNECT_WITHIN: Final = 3.0  # seconds
ANSWER_WITHIN: Final = 2.0  # seconds for a publish
RETRY_FIRST: Final = 0.1  # seconds between tries, doubled up to RETRY_MOST
RETRY_MOST: Final = 2.0


class RedisBackend(BroadcastBackend):
    """`home` is a channel of the deployment that is always subscribed, so that the connection has something to listen to."""

    def __init__(self, url: str, *, home: str) -> None:
        self._url = url
        self._wanted: set[str] = {home}
        self._changed = asyncio.Event()
        self._heard: asyncio.Queue[Event] = asyncio.Queue(maxsize=10_000)
        self._listening: asyncio.Task[None] | None = None
        self._publisher = redis.asyncio.from_url(
            url,
            socket_connect_timeout=CONNECT_WITHIN,
            socket_timeout=ANSWER_WITHIN,
            # A pooled connection that died with the last Redis fails once; the second try gets a new one.
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[RedisConnectionError],
        )
        self._publish: Batcher[tuple[str, str], None] = Batcher(self._send)

    async def connect(self) -> None:
        """Start to listen. A Redis that is not there is tried again."""
        self._listening = asyncio.create_task(self._listen())

    async def disconnect(self) -> None:
        """Stop."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._publisher.aclose()

    async def subscribe(self, channel: str) -> None:
        """Want a channel; never suspends. A `GAP` comes when it is subscribed."""
        self._wanted.add(channel)
        self._changed.set()

    async def unsubscribe(self, channel: str) -> None:
        """Want it no more."""
        self._wanted.discard(channel)
        self._changed.set()

    async def publish(self, channel: str, message: str) -> None:
        """Send; what comes in one turn of the loop goes in one round trip. Raises `Unavailable`."""
        await self._publish((channel, message))

    async def next_published(self) -> Event:
        """The next message, or `GAP`, of a wanted channel."""
        return await self._heard.get()

    async def ping(self) -> None:
        """Return when Redis answers. Raises `Unavailable`."""
        try:
            await self._publisher.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from error

    async def _send(self, messages: Sequence[tuple[str, str]]) -> Sequence[None]:
        try:
            async with self._publisher.pipeline(transaction=False) as pipeline:
                for channel, message in messages:
                    pipeline.publish(channel, message)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not take events ({type(error).__name__}).") from error
        return [None] * len(messages)

    async def _listen(self) -> None:
        wait = RETRY_FIRST
        while True:
            client = redis.asyncio.from_url(self._url, socket_connect_timeout=CONNECT_WITHIN, decode_responses=True)
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe(*self._wanted)
                    wait = RETRY_FIRST
                    changing = asyncio.create_task(self._follow_changes(pubsub))
                    try:
                        await self._read(pubsub, changing)
                    finally:
                        changing.cancel()
                        await asyncio.gather(changing, return_exceptions=True)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("events from Redis are interrupted: %s", error or type(error).__name__)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await client.aclose()
            await asyncio.sleep(random.uniform(0.5, 1) * wait)
            wait = min(2 * wait, RETRY_MOST)

    async def _read(self, pubsub: Any, changing: "asyncio.Task[None]") -> None:
        asked = False
        while not changing.done():
            message = await pubsub.get_message(timeout=SILENT)
            if message is None:
                if asked:
                    raise TimeoutError("no pong")
                await pubsub.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "subscribe":
                await self._heard.put(Event(message["channel"], GAP))
            elif message["type"] == "message":
                await self._heard.put(Event(message["channel"], message["data"]))
        changing.result()

    async def _follow_changes(self, pubsub: Any) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            # A channel whose unsubscription is on its way is still listed, but no longer heard.
            has = set(pubsub.channels) - pubsub.pending_unsubscribe_channels
            if more := self._wanted - has:
                await pubsub.subscribe(*more)
            if less := has - self._wanted:
                await pubsub.unsubscribe(*less)
