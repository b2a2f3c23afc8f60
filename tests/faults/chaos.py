"""Random faults whose kinds, victims and times come from a seed alone, so that a seed plays the same schedule again."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.faults.deployment import Process
from tests.faults.pace import Pace
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTS, Node, Part, Servers, Site
from tests.servers import Server, ServerError

Kind = Literal[
    "web killed",
    "web frozen",
    "worker killed",
    "worker crashed",
    "worker frozen",
    "worker frozen beyond its lease",
    "rollout",
    "RabbitMQ killed",
    "RabbitMQ frozen",
    "Redis killed",
    "Redis frozen",
    "PostgreSQL stopped",
    "PostgreSQL frozen",
    "link cut",
    "link black-holed",
    "link dropped",
    "sockets dropped",
]
# How often each comes, and how long it lasts, in leases: least and most.
KINDS: Final[dict[Kind, tuple[int, float, float]]] = {
    "web killed": (3, 0.0, 0.2),
    "web frozen": (2, 0.1, 0.5),
    "worker killed": (3, 0.0, 0.5),
    "worker crashed": (3, 0.0, 0.5),
    "worker frozen": (2, 0.1, 0.6),
    "worker frozen beyond its lease": (2, 1.2, 1.8),
    "rollout": (2, 0.0, 0.0),
    "RabbitMQ killed": (2, 0.0, 0.5),
    "RabbitMQ frozen": (1, 0.1, 0.8),
    "Redis killed": (2, 0.0, 0.5),
    "Redis frozen": (2, 0.1, 0.8),
    "PostgreSQL stopped": (2, 0.0, 0.2),
    "PostgreSQL frozen": (2, 0.1, 1.3),
    "link cut": (3, 0.1, 0.8),
    "link black-holed": (3, 0.5, 1.5),
    "link dropped": (3, 0.0, 0.0),
    "sockets dropped": (3, 0.0, 0.0),
}
BREATH: Final = (0.3, 1.8)  # leases between a fault and the next
TOGETHER: Final = 0.25  # so often the next fault does not wait for the end of this one
START_WITHIN: Final = 60.0  # seconds for a process that a supervisor starts again and again


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that will happen. Of `site`, `victim` and `part` it uses what its kind has a use for."""

    at: float  # seconds since the beginning
    kind: Kind
    seconds: float
    site: int
    victim: int  # which of the site's web processes or workers; all of them for a link
    part: Part


@dataclass(frozen=True, slots=True)
class Stage:
    """Where faults happen."""

    servers: Servers
    sites: Sequence[Site]
    locks: dict[Server | Proxy, asyncio.Lock] = field(default_factory=dict)

    def lock(self, victim: Server | Proxy) -> asyncio.Lock:
        """One fault at a time on a server or link: the end of one would end the other too."""
        return self.locks.setdefault(victim, asyncio.Lock())


def schedule(seed: int, seconds: float, pace: Pace, sites: int, each: int) -> list[Fault]:
    """What will happen in so many seconds; `each`: how many web processes and how many workers a site has."""
    chance = random.Random(seed)
    kinds = list(KINDS)
    faults = []
    at = chance.uniform(0.1, 0.5) * pace.lease
    while at < seconds:
        kind = chance.choices(kinds, [KINDS[kind][0] for kind in kinds])[0]
        lasts = chance.uniform(*KINDS[kind][1:]) * pace.lease
        faults.append(
            Fault(
                round(at, 2),
                kind,
                round(lasts, 2),
                chance.randrange(sites),
                chance.randrange(2 * each if kind.startswith("link") else each),
                chance.choice(PARTS),
            )
        )
        at += (0.0 if chance.random() < TOGETHER else lasts) + chance.uniform(*BREATH) * pace.lease
    return faults


def touched(fault: Fault, stage: Stage) -> list[Site]:
    """The sites that have to recover from it."""
    shared = fault.kind.startswith(("RabbitMQ", "Redis", "PostgreSQL"))
    sites = [*stage.sites] if shared else [stage.sites[fault.site]]
    return [site for site in sites if not (fault.kind.startswith("RabbitMQ") and site.choice != "rabbitmq")]


def struck(fault: Fault, stage: Stage) -> contextlib.AbstractAsyncContextManager[float]:
    """Strikes on entering and gives the moment (`time.time`) before; all works again on leaving. Not so where the block raises: that is the end of the play."""
    site, servers = stage.sites[fault.site], stage.servers
    web, worker = site.webs[fault.victim % len(site.webs)], site.workers[fault.victim % len(site.workers)]
    link = site.nodes[fault.victim % len(site.nodes)].links[fault.part]
    match fault.kind:
        case "web killed":
            return _dead(web, web.process.kill)
        case "web frozen":
            return _frozen(web.process, web.lock)
        case "worker killed":
            return _dead(worker, worker.process.kill)
        case "worker crashed":
            return _dead(worker, worker.process.crash)
        case "worker frozen" | "worker frozen beyond its lease":
            return _frozen(worker.process, worker.lock)
        case "rollout":
            return _rolled(site)
        case "RabbitMQ killed":
            return _down(servers.rabbitmq, servers.rabbitmq.kill, stage.lock(servers.rabbitmq))
        case "RabbitMQ frozen":
            return _frozen(servers.rabbitmq, stage.lock(servers.rabbitmq))
        case "Redis killed":
            return _down(servers.redis, servers.redis.kill, stage.lock(servers.redis))
        case "Redis frozen":
            return _frozen(servers.redis, stage.lock(servers.redis))
        case "PostgreSQL stopped":
            return _down(servers.postgresql, servers.postgresql.stop_immediate, stage.lock(servers.postgresql))
        case "PostgreSQL frozen":
            return _frozen(servers.postgresql, stage.lock(servers.postgresql))
        case "link cut":
            return _cut(link, stage.lock(link))
        case "link black-holed":
            return _black_holed(link, stage.lock(link))
        case "link dropped":
            return _dropped([link])
        case "sockets dropped":
            return _dropped(site.doors)


@contextlib.asynccontextmanager
async def _dead(node: Node, end: Callable[[], None]) -> AsyncIterator[float]:
    async with node.lock:
        began = time.time()
        await asyncio.to_thread(end)
        yield began
        await started(node.process)


@contextlib.asynccontextmanager
async def _down(server: Server, end: Callable[[], None], lock: asyncio.Lock) -> AsyncIterator[float]:
    async with lock:
        began = time.time()
        await asyncio.to_thread(end)
        yield began
        await asyncio.to_thread(server.start)


@contextlib.asynccontextmanager
async def _frozen(server: Server, lock: asyncio.Lock) -> AsyncIterator[float]:
    async with lock:
        began = time.time()
        await asyncio.to_thread(server.freeze)
        yield began
        await asyncio.to_thread(server.thaw)


@contextlib.asynccontextmanager
async def _rolled(site: Site) -> AsyncIterator[float]:
    """SIGTERM to one process after another, each started again before the next."""
    yield time.time()
    for node in site.nodes:
        async with node.lock:
            await asyncio.to_thread(node.process.stop)
            await started(node.process)


@contextlib.asynccontextmanager
async def _cut(proxy: Proxy, lock: asyncio.Lock) -> AsyncIterator[float]:
    async with lock:
        began = time.time()
        await proxy.cut()
        yield began
        proxy.restore()


@contextlib.asynccontextmanager
async def _black_holed(proxy: Proxy, lock: asyncio.Lock) -> AsyncIterator[float]:
    async with lock:
        began = time.time()
        proxy.black_hole()
        yield began
        proxy.restore()


@contextlib.asynccontextmanager
async def _dropped(proxies: Sequence[Proxy]) -> AsyncIterator[float]:
    began = time.time()
    for proxy in proxies:
        proxy.drop()
    yield began


async def started(process: Process) -> None:
    """Start it as a supervisor does, which tries again: a process that finds no database refuses to start. Raises `ServerError` in the end."""
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            await asyncio.to_thread(process.start)
        except ServerError:
            if process.running or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return
