"""Channels on Redis pub/sub that outlive Redis, with the methods that broadcaster wants of a backend.

broadcaster's own backend hears nothing for ever once Redis was restarted, and loses one of two first subscribers that come at the same time. Here
`subscribe` only notes what is wanted; one task keeps a connection, subscribes again after each loss, finds a black hole by a missing pong, and announces
each (re)subscription by `GAP`: from there on nothing is missed, but something may have been before.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool

from app.backoff import pauses
from app.errors import Unavailable
from app.events.model import GAP
from app.redis_errors import REDIS_ERRORS

log = logging.getLogger(__name__)

PING_EVERY: Final = 1.0  # seconds without a change of the subscriptions
SILENT: Final = 2.5  # seconds without anything from Redis, after which the connection is given up
CONNECT_WITHIN: Final = 2.0  # seconds
ANSWER_WITHIN: Final = 2.0  # seconds
RETRY_WITHIN: Final = 0.5  # seconds between tries to connect
SPARED: Final = 0.5  # seconds without a publish after one that failed: a queue of waiting ones would only grow
MOST_WAITING: Final = 4096  # messages that were read and not yet handed on


class Message(NamedTuple):
    """Something that was published; `message` is `GAP` where something may be missing."""

    channel: str
    message: bytes


class RedisBackend:
    """One listening connection and a pool of publishing ones."""

    def __init__(self, url: str) -> None:
        # No `socket_timeout`: redis-py bounds its writes by `wait_for`, which on Python 3.11 swallows a cancellation that comes with its result.
        self._connections = ConnectionPool.from_url(url)
        self._client = Redis(connection_pool=ConnectionPool.from_url(url))
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()
        self._subscribed: set[str] = set()  # as Redis has confirmed on this connection
        self._gaps: dict[str, None] = {}  # channels, in order
        self._messages: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._spared_until = float("-inf")
        self.connected = True  # until the first try says otherwise

    async def connect(self) -> None:
        """Start to listen. A Redis that is not there is tried again."""
        self._listening = asyncio.create_task(self._listen())

    async def disconnect(self) -> None:
        """Stop."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._client.aclose(close_connection_pool=True)

    async def subscribe(self, channel: str) -> None:
        """Want a channel; never suspends. A `GAP` comes once it is subscribed."""
        self._wanted.add(channel)
        self._changed.set()
        if channel in self._subscribed:
            self._gap(channel)

    async def unsubscribe(self, channel: str) -> None:
        """Want it no more; never suspends."""
        self._wanted.discard(channel)
        self._changed.set()

    async def publish(self, channel: str, message: bytes) -> None:
        """Send one message. Raises `Unavailable`."""
        await self.publish_all([(channel, message)])

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send messages in one round trip. Raises `Unavailable`, in `ANSWER_WITHIN` seconds at most; for a moment after that, at once."""
        if time.monotonic() < self._spared_until:
            raise Unavailable("Redis did not take the last events either.")
        try:
            async with asyncio.timeout(ANSWER_WITHIN), self._client.pipeline(transaction=False) as pipeline:
                for channel, message in messages:
                    pipeline.publish(channel, message)
                await pipeline.execute()
        except REDIS_ERRORS as error:
            self._spared_until = time.monotonic() + SPARED
            raise Unavailable(f"Redis does not take events ({type(error).__name__}).") from error

    async def next_published(self) -> Message:
        """The next message, or `GAP`, of a channel that was wanted. One caller at a time."""
        while True:
            if self._gaps:
                # May overtake messages: it says that all which follows the subscription is there, and they do follow it.
                channel = next(iter(self._gaps))
                del self._gaps[channel]
                return Message(channel, GAP)
            if self._messages:
                return self._messages.popleft()
            self._arrived.clear()
            await self._arrived.wait()

    async def ping(self) -> None:
        """Return when Redis answers. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._client.ping()
        except REDIS_ERRORS as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from error

    async def _listen(self) -> None:
        waits = pauses(most=RETRY_WITHIN)
        while True:
            connection: AbstractConnection = self._connections.make_connection()  # type: ignore[no-untyped-call]
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    await connection.connect()  # type: ignore[no-untyped-call]
                if not self.connected:
                    log.info("events come by Redis again")
                self.connected, waits = True, pauses(most=RETRY_WITHIN)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._ask(connection))
                    both.create_task(self._hear(connection))
            except Exception as error:  # noqa: BLE001  whatever it is, nobody else would connect again
                if self.connected:
                    causes = error.exceptions if isinstance(error, ExceptionGroup) else [error]
                    said = "; ".join(str(cause) or repr(cause) for cause in causes)
                    log.warning("events come from the database meanwhile, not by Redis: %s", said)
                self.connected = False
            finally:
                self._subscribed.clear()
                await connection.disconnect(nowait=True)
            await asyncio.sleep(next(waits))

    async def _ask(self, connection: AbstractConnection) -> None:
        """Keep the subscriptions as they are wanted; ask for a sign of life when there is nothing else to say."""
        asked: set[str] = set()
        while True:
            self._changed.clear()
            less, more = asked - self._wanted, self._wanted - asked
            asked = asked - less | more
            if less:
                await connection.send_command("UNSUBSCRIBE", *less)
            if more:
                await connection.send_command("SUBSCRIBE", *more)
            try:
                async with asyncio.timeout(PING_EVERY):
                    await self._changed.wait()
            except TimeoutError:
                await connection.send_command("PING")

    async def _hear(self, connection: AbstractConnection) -> None:
        while True:
            match await connection.read_response(disable_decoding=True, timeout=SILENT, disconnect_on_error=False):
                case None:
                    raise TimeoutError(f"no sign of life for {SILENT:g} s")
                case [b"message", bytes(channel), bytes(message)]:
                    self._take(Message(channel.decode(), message))
                case [b"subscribe", bytes(channel), _]:
                    self._subscribed.add(channel.decode())
                    self._gap(channel.decode())
                case [b"unsubscribe", bytes(channel), _]:
                    self._subscribed.discard(channel.decode())

    def _take(self, message: Message) -> None:
        if len(self._messages) >= MOST_WAITING:
            self._gap(message.channel)
            return
        self._messages.append(message)
        self._arrived.set()

    def _gap(self, channel: str) -> None:
        self._gaps[channel] = None
        self._arrived.set()
