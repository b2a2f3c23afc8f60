"""SQLite under contention: a web process, a worker and its sweeper on one file, people who submit, read and cancel, and many sockets.

Counts what other products' issue trackers are full of: `database is locked`.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from tests.faults.backends import Backends
from tests.faults.crowd import ACCEPTED, Accepted, Crowd, Member
from tests.faults.deployment import Deployment
from tests.faults.figures import spread
from tests.faults.ledger import ledger
from tests.faults.pace import PACE, Pace

Shape = Literal["dev", "serve and worker"]
SHAPES: Final[tuple[Shape, ...]] = ("dev", "serve and worker")
PEOPLE: Final = 8
SOCKETS: Final = 50
OK: Final = frozenset({200, 202, 409})  # 409: a cancel that came after the end
SAYS_LOCKED: Final = ("locked", "busy")


@dataclass(slots=True)
class Contention:
    """What came of it. `answers`: operations by status; `locked`: log lines and answers that say that the database was locked."""

    shape: Shape
    sockets: int
    seconds: float = 0.0
    operations: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    locked: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)  # seconds an operation took

    @property
    def refused(self) -> int:
        """Operations that were not done."""
        return sum(number for status, number in self.answers.items() if status not in OK)

    def report(self) -> dict[str, Any]:
        """For the file."""
        return {
            "shape": self.shape,
            "people": PEOPLE,
            "sockets": self.sockets,
            "operations": dict(sorted(self.operations.items())),
            "answers": {str(status): number for status, number in sorted(self.answers.items())},
            "refused": self.refused,
            "locked": len(self.locked),
            "seconds": round(self.seconds, 2),
            "latency": spread(self.latencies)._asdict(),
        }


@asynccontextmanager
async def one_file(shape: Shape, folder: Path, redis_url: str, pace: Pace = PACE) -> AsyncIterator[Deployment]:
    """A deployment on a SQLite file: all in one process, or `serve` and `worker` apart, which hear of each other by Redis."""
    backends = Backends("dev", "", "memory://", "memory://")
    if shape == "serve and worker":
        backends = Backends("sqlite", f"sqlite:///{folder / 'taskline.db'}", redis_url, redis_url)
    async with Deployment(backends, pace=pace) as deployment:
        await deployment.both()
        yield deployment


async def contend(deployment: Deployment, shape: Shape, operations: int) -> Contention:
    """So many operations of eight people at once: of ten, six submits, two reads of a task, a page of the list, a cancel. Raises `AssertionError` where a promise is broken."""
    async with Crowd(deployment, people=PEOPLE, tabs=-(-SOCKETS // PEOPLE)) as crowd:
        found = Contention(shape, len(crowd.tabs))
        left = itertools.count()
        began = time.monotonic()

        async def act(member: Member) -> None:
            while next(left) < operations:
                await _operate(crowd, member, found)

        await asyncio.gather(*(act(member) for member in crowd.members for _ in range(2)))
        found.seconds = time.monotonic() - began
        await crowd.settled(within=60.0)
        (await ledger(deployment, crowd)).check()
    for service in deployment.services:
        found.locked += [line for line in service.said().splitlines() if any(sign in line for sign in SAYS_LOCKED)]
    return found


async def _operate(crowd: Crowd, member: Member, found: Contention) -> None:
    what = random.choices(["submit", "read", "list", "cancel"], [6, 2, 1, 1])[0]
    mine = list(member.accepted)[-50:]
    if not mine:
        what = "submit"
    one = Accepted(f"{random.getrandbits(128):032x}", {}, time.time(), ends=True)
    method, path, body = {
        "submit": ("POST", "/api/v1/tasks", {"workload": "countdown", "params": {"seconds": 0}}),
        "read": ("GET", f"/api/v1/tasks/{random.choice(mine or [''])}", None),
        "list": ("GET", "/api/v1/tasks?limit=20", None),
        "cancel": ("POST", f"/api/v1/tasks/{random.choice(mine or [''])}/cancel", None),
    }[what]
    began = time.monotonic()
    answer = await member.wire.request(crowd.origin(), method, path, body, {"Idempotency-Key": one.key})
    found.latencies.append(time.monotonic() - began)
    found.operations[what] += 1
    found.answers[answer.status] += 1
    if any(sign.encode() in answer.body for sign in SAYS_LOCKED):
        found.locked.append(f"{answer.status} {answer.body!r}")
    if what == "submit" and answer.status == ACCEPTED:
        one.id, one.at = answer.json()["id"], time.time()
        one.ids.append(one.id)
        member.accepted[one.id] = one
