"""amqp://: RabbitMQ by aio-pika. Each lane has a durable classic queue, named after the deployment and the version."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from app.queues.base import Slots, Wake
from app.queues.consumer import AT_ONCE, Consumer, Full, WakeFailed, first
from app.queues.message import MOST_WAITING, VERSION, Malformed, pack, unpack
from app.queues.rabbitmq_link import ANSWER, CLOSE, Link, connect, declare, disconnect

log = logging.getLogger(__name__)


class RabbitMQQueue:
    """Each consumer has its connection: from a publisher RabbitMQ stops reading, also acknowledgements, when full."""

    def __init__(self, url: str, *, deployment: str, most_waiting: int = MOST_WAITING) -> None:
        self._url = url
        self._prefix = f"taskline.{deployment}.v{VERSION}."
        self._most_waiting = most_waiting
        self._link = Link(url, most_waiting)

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def wake(self, lane: str, tasks: Sequence[UUID]) -> None:
        await self._link.publish(self._prefix + lane, pack(lane, tasks))

    async def consume(self, lane: str, wake: Wake, slots: Slots) -> None:
        consumer = Consumer(lane, wake, slots)
        await consumer.run(lambda: self._session(consumer))

    async def depth(self, lane: str) -> int:
        return await self._link.depth(self._prefix + lane)

    async def ping(self) -> None:
        await self._link.ping()

    async def _session(self, consumer: Consumer) -> None:
        connection = await connect(self._url, f"taskline {consumer.lane}")
        try:
            await self._consume(connection, consumer)
        finally:
            await disconnect(connection)

    async def _consume(self, connection: AbstractConnection, consumer: Consumer) -> None:
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def lose(reason: str) -> None:
            if not lost.done():
                lost.set_exception(ConnectionError(reason))
                lost.exception()  # a worker that is full waits for a slot, not for this: nobody may be there to take it

        async with asyncio.timeout(ANSWER):
            channel = await connection.channel(publisher_confirms=False)
            channel.close_callbacks.add(lambda *_: lose("the connection was lost"))
            # Only the channel underneath hears that the broker ended the consumption, as it does for a deleted queue.
            under = await channel.get_underlay_channel()
            under.on_consumer_cancel_callbacks.add(lambda _: lose("the queue was deleted"))
            await channel.set_qos(AT_ONCE)
        while True:
            await first(consumer.slots.wait_free(), asyncio.shield(lost), consumer.stopping.wait())
            if consumer.stopping.is_set():
                return
            await self._stretch(channel, consumer, lost)

    async def _stretch(self, channel: AbstractChannel, consumer: Consumer, lost: asyncio.Future[None]) -> None:
        """Consume from a free slot until there is none, then hand back what was fetched too much."""
        inbox = _Inbox(consumer)
        async with asyncio.timeout(ANSWER):
            queue = await declare(channel, self._prefix + consumer.lane, self._most_waiting)
            tag = await queue.consume(inbox.take)
        consumer.consuming()
        await first(consumer.stay_full(), inbox.refused.wait(), asyncio.shield(lost), consumer.stopping.wait())
        async with asyncio.timeout(CLOSE):
            await queue.cancel(tag)
        await consumer.settle()
        if inbox.failure is not None:
            raise inbox.failure
        # No longer consuming, so these do not come straight back. Closing the channel would hand them back, too, but
        # aio-pika keeps some memory for every channel that a connection ever had.
        for message in inbox.unwanted:
            await message.nack(requeue=True)


class _Inbox:
    """The messages of one stretch of consuming."""

    def __init__(self, consumer: Consumer) -> None:
        self.refused = asyncio.Event()
        self.unwanted: list[AbstractIncomingMessage] = []
        self.failure: WakeFailed | None = None
        self._consumer = consumer

    async def take(self, message: AbstractIncomingMessage) -> None:
        self._consumer.start(self._deliver(message))

    async def _deliver(self, message: AbstractIncomingMessage) -> None:
        try:
            await self._consumer.hand_over(unpack(self._consumer.lane, message.body))
        except Malformed as error:
            log.warning("lane %s: %s", self._consumer.lane, error)
        except (Full, asyncio.CancelledError):  # cancelled where the claim took too long
            self.unwanted.append(message)
            self.refused.set()
            return
        except WakeFailed as error:
            self.failure = error
            self.refused.set()
            return
        with suppress(AMQPError):  # lost meanwhile: the message comes again, which does no harm
            await message.ack()
