"""Link: one connection to RabbitMQ for publishing and questions, made anew whenever it is lost."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.connection import make_url
from aio_pika.exceptions import PublishError

from app.backoff import Backoff
from app.errors import Unavailable
from app.queues.consumer import ending, first

ANSWER: Final = 5.0  # seconds that the broker gets to connect, to confirm, to set a consumer up
PING: Final = 3.0  # seconds
CLOSE: Final = 3.0  # seconds; aiormq waits up to 2 of them for the broker's goodbye
HEARTBEAT: Final = 4  # seconds; aiormq gives a silent broker up after three and a bit

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)
# They tell a lost connection with a traceback for each try; Link and Consumer tell it once.
logging.getLogger("aio_pika").setLevel(logging.CRITICAL)
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


class Link:
    """While the connection is down everything raises `Unavailable` at once."""

    def __init__(self, url: str, most_waiting: int) -> None:
        self._url = url
        self._most_waiting = most_waiting
        self._tried = asyncio.Event()
        self._closing = asyncio.Event()
        self._lost = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._declared: set[str] = set()
        self._down = False
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start connecting; returns when connected, or when that failed once."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
            await self._tried.wait()

    async def close(self) -> None:
        """Disconnect, in `ANSWER` and `CLOSE` seconds at most."""
        if self._keeping is not None:
            self._closing.set()
            await asyncio.wait({self._keeping})

    async def publish(self, queue: str, bodies: Sequence[bytes]) -> None:
        """Store `bodies` in `queue`, all in flight at once. Raises `Unavailable` unless the broker confirmed each."""
        channel = await self._up()
        await self._answered(self._publish(channel, queue, bodies), ANSWER)

    async def depth(self, queue: str) -> int:
        """Messages that wait in `queue`, which is made where it was missing."""
        channel = await self._up()
        return (
            await self._answered(declare(channel, queue, self._most_waiting), PING)
        ).declaration_result.message_count or 0

    async def ping(self) -> None:
        """Have the broker answer something."""
        channel = await self._up()
        await self._answered(channel.set_qos(), PING)

    async def _up(self) -> AbstractChannel:
        if self._channel is None:
            raise Unavailable("RabbitMQ is not connected.")
        if await self._blocked():
            raise Unavailable("RabbitMQ takes no messages: its disk or memory is full.")
        return self._channel

    async def _blocked(self) -> bool:
        if self._connection is None or self._connection.transport is None:
            return False
        try:
            async with asyncio.timeout(0):
                await self._connection.transport.ready()
        except TimeoutError:
            return True
        return False

    async def _publish(self, channel: AbstractChannel, queue: str, bodies: Sequence[bytes]) -> None:
        for _ in range(2):
            if queue not in self._declared:
                await declare(channel, queue, self._most_waiting)
                self._declared.add(queue)
            results = await asyncio.gather(
                *(_confirmed(channel, queue, body) for body in bodies), return_exceptions=True
            )
            returned = [body for body, result in zip(bodies, results, strict=True) if isinstance(result, PublishError)]
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, PublishError):
                    raise result
            if not returned:
                return
            bodies = returned
            self._declared.discard(queue)  # somebody deleted it
        raise Unavailable("RabbitMQ lost the queue.")

    async def _answered(self, question: Coroutine[Any, Any, Answer], within: float) -> Answer:
        # In a task of its own: aio-pika raises CancelledError for a lost connection where nobody was cancelled.
        task = asyncio.create_task(question)
        lost = self._lost
        try:
            done, _ = await asyncio.wait({task}, timeout=within)
        finally:
            task.cancel()
        if not done:
            if not await self._blocked():
                lost.set()
                if lost is self._lost:
                    self._connection = self._channel = None  # at once, so that nobody else waits in vain
            raise Unavailable("RabbitMQ does not answer.")
        if task.cancelled():
            raise Unavailable("RabbitMQ was lost.")
        error = task.exception()
        if error is not None and not isinstance(error, Unavailable):
            raise Unavailable(f"RabbitMQ failed: {error!r}") from error
        return task.result()

    async def _keep(self) -> None:
        backoff = Backoff(most=1.0)
        while not self._closing.is_set():
            error = await ending(self._hold())
            if self._closing.is_set():
                return
            if not self._down:
                self._down = True
                log.warning("no connection to RabbitMQ: %s", ascii(str(error)))
            self._tried.set()
            await first(backoff.wait(), self._closing.wait())

    async def _hold(self) -> None:
        connection = await connect(self._url, "taskline wake")
        try:
            async with asyncio.timeout(ANSWER):
                channel = await connection.channel(on_return_raises=True)
            lost = self._lost = asyncio.Event()
            channel.close_callbacks.add(lambda *_: lost.set())
            self._declared.clear()
            self._connection, self._channel = connection, channel
            self._tried.set()
            if self._down:
                self._down = False
                log.warning("RabbitMQ is back")
            await first(lost.wait(), self._closing.wait())
        finally:
            self._connection = self._channel = None
            await disconnect(connection)
        raise ConnectionError("lost")


async def connect(url: str, name: str) -> AbstractConnection:
    """A plain connection, which a lost heartbeat ends. Raises what aio-pika raises."""
    parts = urlsplit(url)
    query = {"heartbeat": str(HEARTBEAT), "name": name} | dict(parse_qsl(parts.query))
    connection = aio_pika.Connection(make_url(parts._replace(query=urlencode(query)).geturl()))
    try:
        await connection.connect(timeout=ANSWER)
    except BaseException:
        await connection.close()  # else it closes itself in the garbage collector, where no loop runs
        raise
    return connection


async def disconnect(connection: AbstractConnection) -> None:
    """Close `connection`, whatever state it is in."""
    with suppress(Exception):
        async with asyncio.timeout(CLOSE):
            await connection.close()


async def declare(channel: AbstractChannel, queue: str, most_waiting: int) -> AbstractQueue:
    """Make the durable queue where it is missing; the answer tells how many messages wait."""
    return await channel.declare_queue(queue, durable=True, arguments={"x-max-length": most_waiting})


async def _confirmed(channel: AbstractChannel, queue: str, body: bytes) -> None:
    message = aio_pika.Message(body, content_type="application/json", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue, mandatory=True, timeout=ANSWER)
