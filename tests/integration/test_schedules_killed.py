"""A service that dies by kill -9 again and again, each time right after it has committed a start: no time and no success is lost, none starts two tasks."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.integration.processes import Service
from tests.integration.rest import API, COUNTDOWN, Caller, Json, as_object, caller

EACH = 3  # schedules, and chains
FOLLOWING = {"workload": "countdown", "params": {"seconds": 0}}


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(request: pytest.FixtureRequest) -> Iterator[Service]:
    settings = {"sweep_seconds": "0.1", "lease_seconds": "1.5", "heartbeat_seconds": "0.4"}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("fresh_database_url")
    program = (sys.executable, "-m", "tests.faults.failpoints")
    variables = {"FAILPOINTS": "after-start=kill@3", "PYTHONPATH": str(Path(__file__).parents[2])}
    one = Service("dev", port=None, modules=None, program=program, variables=variables, **settings)
    try:
        one.start()
        yield one
    finally:
        one.close()


async def test_each_starts_once(mortal: Service) -> None:
    async with caller(mortal) as ada:
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        schedules = [await created(ada, name=f"schedule {n}", at=soon) for n in range(EACH)]
        chains = [await ada.submit(name=f"chain {n}", then={**FOLLOWING, "name": f"after {n}"}) for n in range(EACH)]
        deaths = 0
        while not (found := await alive_and_done(mortal, ada)):
            deaths += 1
            mortal.launch()
        names = Counter(task["name"] for task in found)
        wanted = [*(one["name"] for one in (*schedules, *chains)), *(f"after {n}" for n in range(EACH))]
        assert names == Counter(wanted)
        assert deaths >= 2
        for one in schedules:
            told = as_object(await ada.get(one["links"]["self"]))
            runs = as_object(await ada.get(f"{one['links']['self']}/runs"))["items"]
            assert (told["state"], [run["outcome"] for run in runs]) == ("ended", ["started"])
        for one in chains:
            chain = as_object(await ada.get(f"{one['links']['self']}/chain"))
            after = as_object(await ada.get(f"{API}/tasks/{chain['then']['task_id']}/chain"))
            assert (chain["then"]["outcome"], after["after"]) == ("started", one["id"])


async def created(ada: Caller, **body: object) -> Json:
    answer = await ada.post(f"{API}/schedules", json={**COUNTDOWN, **body})
    assert answer.status_code == 201, answer.text
    return as_object(answer)


async def alive_and_done(service: Service, ada: Caller) -> list[Json]:
    """All tasks, once there are as many as there should be and all have ended; empty where the service has died before."""
    async with asyncio.timeout(60):
        while service.running:
            try:
                items: list[Json] = as_object(await ada.get(f"{API}/tasks?limit=200"))["items"]
            except httpx.TransportError:
                continue
            if len(items) >= 3 * EACH and all(one["state"] == "succeeded" for one in items):
                return items
            await asyncio.sleep(0.05)  # the other side is a process that dies without a sign
    return []
