"""10,000 completions for 20 people while their sockets, Redis and RabbitMQ are cut again and again: whether everybody hears every event, once and in order."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.figures import PACE, arguments, conditions, spread, write
from tests.faults.ledger import judge
from tests.faults.stage import Servers, Site, private_servers
from tests.faults.tab import Tab
from tests.integration.people import ENDS
from tests.servers import Server

PEOPLE: Final = 20
RATE: Final = 100  # submits a second
AT_ONCE: Final = 50  # submits of one burst
CUT: Final = (6.0, 2.0)  # seconds between two cuts of all sockets, and how long they cannot come back
REDIS: Final = (8.0, 1.0)  # seconds between two kills, and until it is started again
RABBITMQ: Final = (20.0, 1.0)
SETTLE_WITHIN: Final = 120.0  # seconds


async def cut(site: Site, cuts: Counter[str]) -> None:
    """Cut all sockets and let nobody in for a while, again and again."""
    every, lasts = CUT
    while True:
        await asyncio.sleep(random.uniform(0.5, 1.5) * every)
        await asyncio.gather(*(door.cut() for door in site.doors))
        cuts["sockets"] += 1
        await asyncio.sleep(lasts)
        for door in site.doors:
            door.restore()


async def kill(server: Server, rhythm: tuple[float, float], cuts: Counter[str]) -> None:
    """Kill a server and start it, again and again."""
    every, lasts = rhythm
    while True:
        await asyncio.sleep(random.uniform(0.5, 1.5) * every)
        await asyncio.to_thread(server.kill)
        cuts[server.name] += 1
        await asyncio.sleep(lasts)
        await asyncio.to_thread(server.start)


async def submit(crowd: Crowd, completions: int) -> None:
    """Submit so many tasks in bursts, as fast as `RATE` says and no faster than they are answered."""
    began = time.monotonic()
    for done in range(0, completions, AT_ONCE):
        await asyncio.sleep(max(0.0, began + done / RATE - time.monotonic()))
        await crowd.submit(min(AT_ONCE, completions - done), within=SETTLE_WITHIN)


async def deliver(servers: Servers, completions: int) -> dict[str, Any]:
    """The figures. Raises `AssertionError` where anything but what was promised was heard."""
    cuts: Counter[str] = Counter()
    async with (
        Site(servers, "rabbitmq", pace=PACE) as site,
        Crowd(site.deployment, PEOPLE, origins=site.origins) as crowd,
    ):
        began = time.monotonic()
        torments = [
            asyncio.create_task(one)
            for one in (cut(site, cuts), kill(servers.redis, REDIS, cuts), kill(servers.rabbitmq, RABBITMQ, cuts))
        ]
        try:
            await submit(crowd, completions)
        finally:
            for torment in torments:
                torment.cancel()
            await asyncio.wait(torments)
        ended_at = time.monotonic() - began
        await asyncio.to_thread(servers.heal)
        site.heal()
        await crowd.settled(SETTLE_WITHIN)
        books = await read(site.deployment.database_url)
        verdict = judge(books, crowd.members)
        verdict.orphans += await site.deployment.orphans()
        verdict.check()
        heard = sum(len(tab.events) for tab in crowd.tabs)
        return {
            "people": PEOPLE,
            "completions": completions,
            "seconds": round(ended_at, 1),
            "cuts": dict(cuts),
            "connections": sum(len(tab.connections) for tab in crowd.tabs),
            "events": len(books.events),
            "heard": heard,
            "share": heard / len(books.events),
            "repeated": len(verdict.repeated),
            "gaps": len(verdict.gaps),
            "late": spread(list(itertools.chain.from_iterable(map(lateness, crowd.tabs))))._asdict(),
            "histogram": histogram(list(itertools.chain.from_iterable(map(lateness, crowd.tabs)))),
        }


def lateness(tab: Tab) -> list[float]:
    """Seconds between each end of a task, as the database has it, and its arrival."""
    found = []
    for event in tab.events:
        if event["type"] in ENDS:
            [at] = tab.told(event["task"]["id"], event["type"])
            found.append(max(0.0, tab.ended[event["task"]["id"]] - at))
    return found


def histogram(values: Sequence[float]) -> list[dict[str, float]]:
    """How many came within each power of two of a hundredth of a second."""
    edges = [0.01 * 2**step for step in range(12)]
    counts = [sum(low < value <= high for value in values) for low, high in itertools.pairwise([-1.0, *edges])]
    return [{"within": round(edge, 2), "number": count} for edge, count in zip(edges, counts, strict=True)]


async def main() -> None:
    chosen = arguments(__doc__, "delivery", completions=(10_000, "tasks"))
    async with private_servers() as servers:
        figures = await deliver(servers, chosen.completions)
    print(figures)
    write(chosen.out, {"conditions": conditions(), **figures})


if __name__ == "__main__":
    asyncio.run(main())
