"""Deployments side by side on the same servers, with a proxy on every way: between each process and its servers, and in front of each web process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self
from uuid import uuid4

from tests.faults.backends import Backends, Choice
from tests.faults.deployment import Deployment, Process
from tests.faults.pace import PACE, Pace
from tests.faults.proxy import Proxy
from tests.servers import PostgreSQL, RabbitMQ, Redis
from tests.servers.pool import Pool

Part = Literal["database", "queue", "events"]
PARTS: Final[tuple[Part, ...]] = ("database", "queue", "events")
EACH: Final = 2  # web processes, and workers, of a site


@dataclass(frozen=True, slots=True)
class Servers:
    """What the deployments share."""

    postgresql: PostgreSQL
    redis: Redis
    rabbitmq: RabbitMQ

    def heal(self) -> None:
        """Let all of them run, whatever was done to them. Blocks."""
        for server in (self.postgresql, self.redis, self.rabbitmq):
            server.thaw()
            server.start()


@contextlib.asynccontextmanager
async def private_servers() -> AsyncIterator[Servers]:
    """Servers of one's own, until the end of the block."""
    pool = Pool()
    try:
        await asyncio.to_thread(pool.launch, RabbitMQ)  # it takes the longest
        postgresql, redis = await asyncio.to_thread(pool.ready, PostgreSQL), await asyncio.to_thread(pool.ready, Redis)
        yield Servers(postgresql, redis, await asyncio.to_thread(pool.ready, RabbitMQ))
    finally:
        await asyncio.to_thread(pool.close)


@dataclass(frozen=True, slots=True)
class Node:
    """A process, and the proxies between it and its servers."""

    name: str
    process: Process
    links: dict[Part, Proxy]
    lock: asyncio.Lock  # held by the fault that it suffers


class Site:
    """A deployment of a few web processes and workers. People go to its `doors`, the proxies in front of the web processes."""

    def __init__(
        self, servers: Servers, choice: Choice, *, pace: Pace = PACE, webs: int = EACH, workers: int = EACH
    ) -> None:
        self.choice = choice
        self.pace = pace
        self.webs: list[Node] = []
        self.workers: list[Node] = []
        self.doors: list[Proxy] = []
        self._servers = servers
        self._wanted = (webs, workers)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        servers = self._servers
        async with contextlib.AsyncExitStack() as stack:
            name = f"site_{uuid4().hex}"
            database = await asyncio.to_thread(servers.postgresql.create_database, name)
            stack.push_async_callback(asyncio.to_thread, self._forget, name)
            queue = servers.rabbitmq.url if self.choice == "rabbitmq" else servers.redis.url
            backends = Backends(self.choice, database, queue, servers.redis.url)
            self.deployment = await stack.enter_async_context(Deployment(backends, pace=self.pace))
            webs, workers = self._wanted
            nodes = await asyncio.gather(
                *(self._node(stack, "web", number) for number in range(webs)),
                *(self._node(stack, "worker", number) for number in range(workers)),
            )
            self.webs, self.workers = nodes[:webs], nodes[webs:]
            for web in self.webs:
                self.doors.append(await stack.enter_async_context(Proxy(web.process.port)))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def nodes(self) -> list[Node]:
        return [*self.webs, *self.workers]

    @property
    def origins(self) -> list[str]:
        """Where people go."""
        return [f"http://127.0.0.1:{door.port}" for door in self.doors]

    def heal(self) -> None:
        """Let everything through again, on every way."""
        for proxy in [*self.doors, *(proxy for node in self.nodes for proxy in node.links.values())]:
            proxy.restore()

    async def _node(self, stack: contextlib.AsyncExitStack, word: Literal["web", "worker"], number: int) -> Node:
        servers, settings = self._servers, self.deployment.settings
        ports = {
            "database": servers.postgresql.port,
            "queue": servers.rabbitmq.port if self.choice == "rabbitmq" else servers.redis.port,
            "events": servers.redis.port,
        }
        links = {part: await stack.enter_async_context(Proxy(ports[part])) for part in PARTS}
        urls: dict[str, Any] = {f"{part}_url": links[part].url(settings[f"{part}_url"]) for part in PARTS}
        start = self.deployment.web if word == "web" else self.deployment.worker
        return Node(f"{self.choice} {word} {number + 1}", await start(**urls), links, asyncio.Lock())

    def _forget(self, database: str) -> None:
        if self._servers.postgresql.running:
            self._servers.postgresql.drop_database(database)
