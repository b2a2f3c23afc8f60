"""How others fare while somebody's task takes all it can get: the time from a request to the event of its end; then many mixed tasks, and what is left of them.

Run it as `python -m tests.integration.measure_isolation [--seconds 20] [--tasks 1000]`.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.integration.processes import Service
from workers.environment import MARK

ROOT: Final = Path(__file__).parents[2]
GREEDY: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("fork bomb", "forks", {}),
    ("memory hog", "hogs", {}),
    ("memory hog, in three processes", "hogs", {"how": "forked"}),
    ("disk filler", "fills", {}),
    ("endless loop", "loops", {}),
    ("endless loop in C, interpreter held", "loops", {"how": "deaf"}),
    ("segfault", "leaves", {"how": "segfault"}),
    ("os._exit", "leaves", {"how": "exit"}),
]
ROUNDS: Final = 3
HARMLESS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("small", {"number": 1}),
    ("countdown", {"seconds": 0}),
    ("leaves", {"how": "return"}),
    ("leaves", {"how": "closed"}),
]


class User:
    """Somebody who starts tasks and hears of their ends."""

    def __init__(self, client: httpx.AsyncClient, socket: ClientConnection) -> None:
        self._client = client
        self._ends: dict[str, asyncio.Future[tuple[float, dict[str, Any]]]] = {}
        self._listening = asyncio.create_task(self._listen(socket))

    async def start(self, workload: str, params: Mapping[str, Any]) -> str:
        answer = await self._client.post("/api/v1/tasks", json={"workload": workload, "params": params})
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def cancel(self, task: str) -> None:
        (await self._client.post(f"/api/v1/tasks/{task}/cancel")).raise_for_status()

    async def ended(self, task: str) -> tuple[float, dict[str, Any]]:
        """When its end was heard, and its card."""
        return await self._end(task)

    async def timed(self, workload: str, params: Mapping[str, Any]) -> float:
        """Seconds from the request to the event of the end."""
        began = time.monotonic()
        return (await self.ended(await self.start(workload, params)))[0] - began

    def _end(self, task: str) -> asyncio.Future[tuple[float, dict[str, Any]]]:
        return self._ends.setdefault(task, asyncio.get_running_loop().create_future())

    async def _listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                frame = orjson.loads(text)
                if frame["type"] in ("task.succeeded", "task.failed", "task.cancelled"):
                    self._end(frame["task"]["id"]).set_result((time.monotonic(), frame["task"]))


@asynccontextmanager
async def user(service: Service, name: str) -> AsyncIterator[User]:
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        answer = await client.post("/signup", data={"username": name, "password": "a long walk at night"})
        assert answer.status_code == 303, answer.text
        cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
        async with connect(
            service.websocket_url,
            origin=Origin(service.url),
            subprotocols=[Subprotocol("taskline.v1")],
            additional_headers={"Cookie": cookie},
        ) as socket:
            yield User(client, socket)


async def others(person: User, seconds: float, during: asyncio.Task[Any] | None = None) -> dict[str, list[float]]:
    """Small tasks of both kinds, at an even pace, for so long or while `during` runs: how long each took."""
    kinds: dict[str, tuple[float, dict[str, Any]]] = {
        "countdown": (0.1, {"seconds": 0}),
        "small": (0.2, {"number": 1}),
    }
    until = time.monotonic() + seconds

    async def one_kind(workload: str) -> list[float]:
        every, params = kinds[workload]
        running = []
        while (not during.done()) if during else (time.monotonic() < until):
            running.append(asyncio.create_task(person.timed(workload, params)))
            await asyncio.sleep(every)
        return list(await asyncio.gather(*running))

    took = await asyncio.gather(*(one_kind(workload) for workload in kinds))
    return dict(zip(kinds, took, strict=True))


async def greedy(person: User, workload: str, params: Mapping[str, Any], seconds: float) -> Counter[str]:
    """One such task after the other, for so long. What never ends is cancelled after a while."""
    errors: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task = await person.start(workload, params)
        if workload == "loops":
            await asyncio.sleep(seconds / 2)
            asked = time.monotonic()
            await person.cancel(task)
            at, card = await person.ended(task)
            errors[f"{card['state']} {at - asked:.2f} s after the cancel"] += 1
        else:
            _, card = await person.ended(task)
            errors[f"{card['error']['kind']}: {card['error']['message']}"] += 1
    return errors


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


async def beside(ada: User, bob: User, seconds: float) -> None:
    """Each greedy workload in turn, in rounds with as much quiet time between them: the machine may have other things to do. What is usual is taken from all the quiet times."""
    usual: dict[str, list[float]] = {}
    rows: list[tuple[str, dict[str, list[float]], Counter[str]]] = []
    for name, workload, params in GREEDY:
        during: dict[str, list[float]] = {}
        ends: Counter[str] = Counter()
        for _ in range(ROUNDS):
            _add(usual, await others(bob, seconds / ROUNDS))
            task = asyncio.create_task(greedy(ada, workload, params, seconds / ROUNDS))
            _add(during, await others(bob, 0, task))
            ends += await task
        rows.append((name, during, ends))
    print(
        "| ada's tasks | bob's countdown: p50, p95 | of the usual p95 | bob's process: p50, p95 | of the usual p95 | ended |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, took, ends in [("none", usual, Counter()), *rows]:
        cells = [f"{said(took[kind])} | {p95(took[kind]) / p95(usual[kind]):.1f}" for kind in usual]
        print(f"| {name} | {' | '.join(cells)} | {dict(ends)} |")


def _add(all_: dict[str, list[float]], more: Mapping[str, list[float]]) -> None:
    for kind, took in more.items():
        all_.setdefault(kind, []).extend(took)


def said(values: list[float]) -> str:
    return f"{1000 * statistics.median(values):.0f}, {1000 * p95(values):.0f} ms"


def marked() -> list[int]:
    """Every process that a child process of some worker is, or has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"\0{MARK}=".encode() in b"\0" + (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


async def mixed(person: User, service: Service, count: int) -> None:
    """So many tasks of every kind."""
    before = set(marked())
    chosen = random.Random(5)
    ends: Counter[str] = Counter()
    waiting = asyncio.Semaphore(100)

    async def one() -> None:
        async with waiting:
            kind = chosen.choice(HARMLESS) if chosen.random() < 0.9 else chosen.choice(GREEDY)[1:]
            task = await person.start(*kind)
            if kind[0] == "loops":
                await person.cancel(task)
            _, card = await person.ended(task)
            ends[card["state"]] += 1

    began = time.monotonic()
    await asyncio.gather(*(one() for _ in range(count)))
    print(f"\n{count} mixed tasks in {time.monotonic() - began:.0f} s: {dict(ends)}")
    await asyncio.sleep(1)
    folders = [str(path) for path in (service.data_dir / "scratch").glob("*/*")]
    print(f"folders left: {folders}; processes, besides {len(before)} from before: {shown(set(marked()) - before)}")
    await asyncio.to_thread(service.stop)
    folders = [str(path) for path in (service.data_dir / "scratch").glob("*")]
    print(f"after the worker's end: {folders}, {shown(set(marked()) - before)}")


def shown(pids: set[int]) -> list[str]:
    """The command line of each."""
    said = []
    for pid in pids:
        with contextlib.suppress(OSError):
            said.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return said


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--tasks", type=int, default=1000)
    chosen = parser.parse_args()
    service = Service(modules=ROOT, workloads="tests.integration.greedy")
    await asyncio.to_thread(service.start)
    try:
        async with user(service, "ada") as ada, user(service, "bob") as bob:
            if chosen.seconds:
                await others(bob, 3)  # everything is warm
                await beside(ada, bob, chosen.seconds)
            if chosen.tasks:
                await mixed(ada, service, chosen.tasks)
        print(service.errors())
    finally:
        await asyncio.to_thread(service.close)


if __name__ == "__main__":
    asyncio.run(main())
