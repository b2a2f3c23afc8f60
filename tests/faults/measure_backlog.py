"""What a growing backlog costs: `python -m tests.faults.measure_backlog [FILE] [--most 100000]`, a minute or two on two cores.

Private PostgreSQL, Redis and RabbitMQ, one web process, and one worker whose only slot is taken, so that what is queued stays queued while its sweeper runs.
At each size of the backlog: submits over REST one by one, claims of one and of twenty tasks over a connection as old as the first point (its plans are, too), the home
page, what both processes hold in memory, and the messages at the broker. In the end a worker with free slots starts on the whole backlog. Writes JSON.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from app.db import Database
from app.queues import TaskQueue, open_queue
from app.resources import connected, moves_on
from app.settings import Settings
from app.tasks.model import Draft, Ending, new_id
from app.tasks.moves import Moves
from tests.integration.people import Person, person
from tests.integration.processes import Service, environment, taskline
from tests.integration.rest import until
from tests.servers import PostgreSQL, RabbitMQ, Redis
from tests.servers.pool import Pool

DEFAULT: Final = Path("docs/img/backlog.json")
STEPS: Final = (0, 0.1, 0.25, 0.5, 0.75, 1)  # of the most
USERS: Final = 20
SUBMITS: Final = 200  # at each point
CLAIMS: Final = 50  # at each point, of either kind
BATCH: Final = 200
SETTLED: Final = 3.0  # seconds in which a sweeper sends hints for what has none
DRAINED: Final = 5.0  # seconds
EVERY: Final = 0.25  # seconds between two looks at the broker
WORK: Final = ("countdown", {"seconds": 0})


class Backlog:
    """One deployment, and the tools to fill and to look at it."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        web: Service,
        worker: Service,
        db: Database,
        moves: Moves,
        queue: TaskQueue,
        people: Sequence[Person],
    ) -> None:
        self.deepest = 0  # messages
        self._settings = settings
        self._db = db
        self._web = web
        self._worker = worker
        self._moves = moves
        self._queue = queue
        self._people = people

    async def begin(self) -> None:
        """Take the worker's only slot."""
        task = await self._people[0].submit(self._web.url, "countdown", {"seconds": 3600})

        async def runs() -> bool:
            return bool((await self._people[0].task(self._web.url, task["id"]))["state"] == "running")

        await until(runs)

    async def queued(self) -> int:
        """How many tasks wait."""
        return int(await self._db.fetch_val("SELECT count(*) FROM tasks WHERE state = 'queued'"))

    async def fill(self, number: int) -> None:
        """Have so many tasks wait. As if their hints were lost: the sweeper has to send some."""
        users = [row["user_id"] for row in await self._db.fetch_all("SELECT user_id FROM streams ORDER BY user_id")]
        missing = number - await self.queued()
        for start in range(0, missing, BATCH):
            await self._moves.submit(
                [
                    Draft(
                        id=new_id(),
                        user_id=users[i % len(users)],
                        name="Backlog",
                        workload=WORK[0],
                        version=1,
                        lane="light",
                        params=json.dumps(WORK[1]),
                        max_attempts=3,
                    )
                    for i in range(start, min(start + BATCH, missing))
                ]
            )

    async def point(self) -> dict[str, float]:
        """What things cost now."""
        await asyncio.sleep(SETTLED)
        queued = await self.queued()
        people = [self._people[i % len(self._people)] for i in range(SUBMITS)]
        submits = [await _timed(lambda p=p: p.submit(self._web.url, *WORK)) for p in people]  # type: ignore[misc]
        homes = [await _timed(lambda p=p: p.http.get(self._web.url)) for p in people[: len(self._people)]]  # type: ignore[misc]
        claims = [await self._claim(1) for _ in range(CLAIMS)]
        batches = [await self._claim(20) for _ in range(CLAIMS)]
        return {
            "queued": queued,
            "submit_p50_ms": _percentile(submits, 50),
            "submit_p99_ms": _percentile(submits, 99),
            "home_p50_ms": _percentile(homes, 50),
            "claim_ms": _percentile(claims, 50),
            "claim_p99_ms": _percentile(claims, 99),
            "claim_20_ms": _percentile(batches, 50),
            "web_rss_mib": _resident(self._web.main_pid),
            "worker_rss_mib": _resident(self._worker.main_pid),
            "broker_depth": await self._queue.depth("light"),
        }

    async def drained(self) -> float:
        """Tasks a second that a worker with free slots ends of the whole backlog."""
        await asyncio.to_thread(self._worker.stop)
        free = Service("worker", **self._settings)
        try:
            await asyncio.to_thread(free.start)
            before, began = await self.queued(), time.perf_counter()
            await asyncio.sleep(DRAINED)
            return round((before - await self.queued()) / (time.perf_counter() - began), 1)
        finally:
            await asyncio.to_thread(free.close)

    async def watch_broker(self) -> None:
        """Remember the most messages that ever waited."""
        while True:
            self.deepest = max(self.deepest, await self._queue.depth("light"))
            await asyncio.sleep(EVERY)

    async def _claim(self, limit: int) -> float:
        began = time.perf_counter()
        claims = await self._moves.claim(uuid4(), "light", {WORK[0]: 1}, limit)
        took = time.perf_counter() - began
        await self._moves.finish(
            [Ending(id=one.id, attempt=one.attempt, token=one.token, verdict="succeeded") for one in claims]
        )
        return took


@contextlib.asynccontextmanager
async def deployed() -> AsyncIterator[Backlog]:
    """Servers, processes and people."""
    async with contextlib.AsyncExitStack() as stack:
        pool = Pool()
        stack.callback(pool.close)
        pool.launch(RabbitMQ)
        settings: dict[str, Any] = {
            "database_url": pool.ready(PostgreSQL).create_database("backlog"),
            "events_url": pool.ready(Redis).url,
            "queue_url": pool.ready(RabbitMQ).url,
            "limit_waiting": "1000000",
            "limit_requests": "1000000/minute",
        }
        taskline("migrate", **settings)
        web, worker = Service("serve", **settings), Service("worker", light_slots="1", **settings)
        for service in (web, worker):
            stack.callback(service.close)
            await asyncio.to_thread(service.start)
        ours = Settings.from_environment(environment(**settings))
        db = await stack.enter_async_context(connected(ours, pool=2))
        queue = open_queue(ours.queue_url, deployment=ours.deployment)
        await queue.open()
        stack.push_async_callback(queue.close)
        people = [await stack.enter_async_context(person(web.url)) for _ in range(USERS)]
        yield Backlog(settings, web, worker, db, moves_on(db, lease=ours.lease_seconds), queue, people)


async def measure(most: int) -> dict[str, Any]:
    """All of it."""
    async with deployed() as backlog:
        await backlog.begin()
        watching = asyncio.create_task(backlog.watch_broker())
        points = []
        for step in STEPS:
            await backlog.fill(int(step * most))
            points.append(await backlog.point())
            print(json.dumps(points[-1]), file=sys.stderr, flush=True)
        drained = await backlog.drained()
        watching.cancel()
        return {
            "most": most,
            "points": points,
            "broker_depth_max": backlog.deepest,
            "drained_per_s": drained,
            "cores": os.cpu_count(),
        }


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


def _percentile(seconds: Sequence[float], percent: int) -> float:
    """In milliseconds."""
    return round(1e3 * statistics.quantiles(seconds, n=100)[percent - 1], 2)


def _resident(pid: int) -> float:
    """A process's memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--most", type=int, default=100_000, help="queued tasks at the last point")
    asked = parser.parse_args()
    found = asyncio.run(measure(asked.most))
    asked.file.parent.mkdir(parents=True, exist_ok=True)
    asked.file.write_text(json.dumps(found, indent=1) + "\n")
    print(
        f"{asked.file}: at most {found['broker_depth_max']} messages, {found['drained_per_s']} tasks/s of {asked.most:,}"
    )


if __name__ == "__main__":
    main()
