"""Tasks a second from submit to the owner's socket with RabbitMQ, after it died, while it dies, and where it never was: work goes on by polling."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from statistics import median
from typing import Any, Final, Literal, get_args
from uuid import uuid4

from tests.faults.backends import Backends
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.figures import PACE, arguments, conditions, write
from tests.faults.ledger import ledger
from tests.faults.stage import Servers, private_servers
from tests.servers import free_port

Case = Literal["there", "killed before", "killed in the middle", "never there"]
CASES: Final[tuple[Case, ...]] = get_args(Case)
PEOPLE: Final = 20
WORKERS: Final = 2
AT_ONCE: Final = 64  # submits
WARM: Final = 500  # tasks before any is counted
WITHIN: Final = 120.0  # seconds


@contextlib.asynccontextmanager
async def deployed(servers: Servers, queue: str) -> AsyncIterator[Deployment]:
    """One web process and two workers on a database of their own."""
    name = f"throughput_{uuid4().hex}"
    backends = Backends(
        "rabbitmq", await asyncio.to_thread(servers.postgresql.create_database, name), queue, servers.redis.url
    )
    try:
        async with Deployment(backends, pace=PACE) as deployment:
            await asyncio.gather(deployment.web(), *(deployment.worker() for _ in range(WORKERS)))
            yield deployment
    finally:
        await asyncio.to_thread(servers.postgresql.drop_database, name)


async def run(servers: Servers, case: Case, tasks: int) -> dict[str, Any]:
    """The figures of one run. Raises `AssertionError` where anything was lost, repeated or heard by others."""
    nowhere = servers.rabbitmq.url.replace(f":{servers.rabbitmq.port}", f":{free_port()}")
    async with (
        deployed(servers, nowhere if case == "never there" else servers.rabbitmq.url) as deployment,
        Crowd(deployment, PEOPLE) as crowd,
    ):
        await crowd.submit(WARM, at_once=AT_ONCE, within=WITHIN)
        await crowd.settled(WITHIN)
        if case == "killed before":
            await asyncio.to_thread(servers.rabbitmq.kill)
            await crowd.submit(WARM, at_once=AT_ONCE, within=WITHIN)
            await crowd.settled(WITHIN)
        counted = [await crowd.submit(tasks // 2, at_once=AT_ONCE, within=WITHIN)]
        if case == "killed in the middle":
            await asyncio.to_thread(servers.rabbitmq.kill)
        counted.append(await crowd.submit(tasks - tasks // 2, at_once=AT_ONCE, within=WITHIN))
        await crowd.settled(WITHIN)
        (await ledger(deployment, crowd)).check()
    every = [one for half in counted for one in half]
    seconds = max(crowd.heard(one.id) for one in every) - min(one.asked for one in every)
    await asyncio.to_thread(servers.rabbitmq.start)
    return {"case": case, "tasks": tasks, "seconds": round(seconds, 2), "per_s": round(tasks / seconds)}


async def main() -> None:
    chosen = arguments(__doc__, "throughput", tasks=(6_000, "tasks of a run"), rounds=(3, "runs of each case"))
    found: list[dict[str, Any]] = []
    async with private_servers() as servers:
        for _ in range(chosen.rounds):  # in turn, so that what else the machine does falls on all alike
            for case in CASES:
                found.append(await run(servers, case, chosen.tasks))
                print(found[-1], flush=True)
    cases = [
        {"case": case, "n": len(rates), "median": median(rates), "least": min(rates), "most": max(rates)}
        for case in CASES
        if (rates := [one["per_s"] for one in found if one["case"] == case])
    ]
    write(chosen.out, {"conditions": conditions(), "cases": cases, "runs": found})


if __name__ == "__main__":
    asyncio.run(main())
