"""The kinds of queue that the contract runs on, each with the harm that its broker can come to."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable

import aio_pika
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

from app.queues.arq import ArqQueue
from app.queues.base import TaskQueue
from app.queues.memory import MemoryQueue
from app.queues.rabbitmq import RabbitMQQueue
from tests.servers import Server
from tests.servers.programs import program


class Backend(ABC):
    """One kind of queue."""

    @abstractmethod
    def queue(self, deployment: str, **options: int) -> TaskQueue:
        """A queue of `deployment`, not opened; another one of the same is as in another process."""


class Memory(Backend):
    def __init__(self) -> None:
        self._queues: dict[str, MemoryQueue] = {}

    def queue(self, deployment: str, **options: int) -> TaskQueue:
        return self._queues.setdefault(deployment, MemoryQueue(**options))


class Broker(Backend):
    """A kind of queue with a server behind it."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    async def send(self, deployment: str, lane: str, body: bytes) -> None:
        """Put a message there that Taskline did not make."""

    @abstractmethod
    async def empty(self, deployment: str, lane: str) -> None:
        """Throw the waiting messages away."""

    @abstractmethod
    async def fill(self, server: Server, *, full: bool) -> None:
        """Let the server run out of room for messages, or have room again."""

    @abstractmethod
    async def delete(self, deployment: str, lane: str) -> None:
        """Throw the queue itself away."""


class RabbitMQ(Broker):
    def queue(self, deployment: str, **options: int) -> TaskQueue:
        # The heartbeat finds a frozen broker after three and a bit.
        return RabbitMQQueue(f"{self.url}?heartbeat=1", deployment=deployment, **options)

    async def send(self, deployment: str, lane: str, body: bytes) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(body), f"taskline.{deployment}.v1.{lane}")

    async def empty(self, deployment: str, lane: str) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(f"taskline.{deployment}.v1.{lane}")
            await queue.purge()

    async def delete(self, deployment: str, lane: str) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(f"taskline.{deployment}.v1.{lane}")

    async def fill(self, server: Server, *, full: bool) -> None:
        _, environment = server._command()
        limit = ("mem_relative", "1000.0") if full else ("1MB",)
        control = await asyncio.create_subprocess_exec(
            program("rabbitmq-server").with_name("rabbitmqctl"),
            *("--node", environment["RABBITMQ_NODENAME"], "set_disk_free_limit", *limit),
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await control.wait() == 0


class Arq(Broker):
    def queue(self, deployment: str, **options: int) -> TaskQueue:
        return ArqQueue(self.url, deployment=deployment, **options)

    async def send(self, deployment: str, lane: str, body: bytes) -> None:
        redis = self._client()
        await redis.psetex(f"arq:job:{body!r}", 60_000, body)
        await redis.zadd(f"arq:taskline:{deployment}:v1:{lane}", {repr(body): 1})
        await redis.aclose(close_connection_pool=True)

    async def empty(self, deployment: str, lane: str) -> None:
        redis = self._client()
        await redis.flushall()
        await redis.aclose(close_connection_pool=True)

    async def delete(self, deployment: str, lane: str) -> None:
        redis = self._client()
        await redis.delete(f"arq:taskline:{deployment}:v1:{lane}")
        await redis.aclose(close_connection_pool=True)

    async def fill(self, server: Server, *, full: bool) -> None:
        redis = self._client()
        await redis.config_set("maxmemory", 1 if full else 0)
        await redis.aclose(close_connection_pool=True)

    def _client(self) -> ArqRedis:
        return ArqRedis(ConnectionPool.from_url(self.url))


class Worker:
    """A lane's slots, and a count of what it was woken for."""

    def __init__(self, slots: int = 100, react: Callable[["Worker"], None] = lambda _: None) -> None:
        self.free = slots
        self.hints = 0
        self.calls = 0
        self.connections: list[bool] = []  # what it was told: whether hints reach it
        self._react = react
        self._changed = asyncio.Event()

    async def __call__(self, hints: int) -> None:
        self.calls += 1
        self._react(self)
        self.hints += hints
        self._tell()

    def connected(self, yes: bool) -> None:
        if self.connections[-1:] != [yes]:
            self.connections.append(yes)
            self._tell()

    async def told(self, *connections: bool, within: float = 20) -> None:
        """Return once it was told exactly this, in turn."""
        async with asyncio.timeout(within):
            await self._until(lambda: tuple(self.connections) == connections)

    def set_free(self, free: int) -> None:
        self.free = free
        self._tell()

    async def wait_free(self) -> None:
        await self._until(lambda: self.free > 0)

    async def wait_full(self) -> None:
        await self._until(lambda: self.free <= 0)

    async def woken_for(self, hints: int, within: float = 10) -> None:
        """Return once `hints` have arrived."""
        async with asyncio.timeout(within):
            await self._until(lambda: self.hints >= hints)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
