"""Operators and everybody else, and a workload that is paused and resumed under a worker of its own process."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import Service, taskline
from tests.integration.rest import API, Caller, as_object, caller, refused, until

OWN_WORKLOADS = Path(__file__).with_name("own_workloads")
PAGE = {"accept": "text/html"}
NEVER = "600"  # seconds


@dataclass(frozen=True)
class Deployment:
    """A web process, a worker, and what both are set to."""

    web: Service
    worker: Service
    settings: dict[str, Any]


@pytest.fixture(params=["signal", "sweep"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Redis brings the worker the news, and nothing else could within the test; or nothing does, and its own looks find it."""
    redis = request.getfixturevalue("redis_url") if request.param == "signal" else ""
    brings = {"queue_url": redis, "events_url": redis, "sweep_seconds": NEVER, "poll_seconds": NEVER} if redis else {}
    settings: dict[str, Any] = {
        "data_dir": str(tmp_path), "deployment": f"operator-{request.param}", "workloads": "chatty", **brings,
    }  # fmt: skip
    variables = {"PYTHONPATH": str(OWN_WORKLOADS)}
    taskline("migrate", variables=variables, **settings)
    with ExitStack() as stack:
        web = stack.enter_context(closing(Service("serve", modules=OWN_WORKLOADS, **settings)))
        worker = stack.enter_context(closing(Service("worker", modules=OWN_WORKLOADS, **settings)))
        web.start()
        worker.start()
        yield Deployment(web, worker, settings)


async def learned(worker: Service, paused: str) -> None:
    """Until the worker knows that this is paused, as it logs."""

    async def does() -> bool:
        return worker.said().rpartition(" paused: ")[2].startswith(f"{paused}\n")

    await until(does)


async def operating(someone: Caller, deployment: Deployment) -> None:
    """Make somebody an operator; a session knows it a moment later."""
    taskline("user", "promote", someone.username, **deployment.settings)

    async def is_known() -> bool:
        return bool(as_object(await someone.get(f"{API}/me"))["role"] == "operator")

    await until(is_known)


async def test_what_is_paused_waits_what_runs_goes_on_and_resuming_starts_it(deployment: Deployment) -> None:
    async with caller(deployment.web) as eve, caller(deployment.web) as ada:
        await operating(eve, deployment)
        runs = await ada.submit(params={"seconds": 3600})
        await ada.until(runs, "task.started")
        assert (await eve.post("/operator/pause", data={"workload": "countdown"})).status_code == 303
        await learned(deployment.worker, "countdown")
        waits = await ada.submit()
        other = await ada.submit(workload="chatty", params={"seconds": 0})
        assert (await ada.ended(other))["state"] == "succeeded", "the worker has looked, and taken what it may"
        waiting = await ada.task(waits)
        assert (waiting["state"], waiting["wait"]["reason"]) == ("queued", "paused")
        assert (await ada.task(runs))["state"] == "running"

        seen = (await eve.get(f"{API}/operator")).json()
        queue = next(one for one in seen["queues"] if one["workload"] == "countdown")
        assert (queue["waiting"], queue["running"], queue["paused_by"]) == (1, 1, eve.username)
        (worker,) = seen["workers"]
        assert worker["running"] == [{"workload": "countdown", "number": 1}]

        assert (await eve.post("/operator/resume", data={"workload": "countdown"})).status_code == 303
        assert (await ada.ended(waits))["state"] == "succeeded"
        await ada.post(f"{API}/tasks/{runs['id']}/cancel")
        assert (await ada.ended(runs))["state"] == "cancelled"
        assert deployment.worker.errors() == deployment.web.errors() == ""


@pytest.mark.parametrize("deployment", ["sweep"], indirect=True)
async def test_a_pause_outlives_the_worker_and_is_nothing_to_others(deployment: Deployment) -> None:
    async with caller(deployment.web) as eve, caller(deployment.web) as ada:
        for path in ("/operator", "/operator/nothing"):
            answer = await ada.get(path, headers=PAGE)
            assert (answer.status_code, "There is nothing here" in answer.text) == (404, True)
        assert 'href="/operator"' not in (await ada.get("/", headers=PAGE)).text
        refused(await ada.get(f"{API}/operator"), 404)
        for verb in ("pause", "resume", "retry"):
            refused(await ada.post(f"/operator/{verb}", data={"workload": "countdown"}), 404)

        await operating(eve, deployment)
        shown = await eve.get("/operator", headers=PAGE)
        assert shown.status_code == 200
        assert re.search(r'href="/operator" aria-current="page"', shown.text)
        assert (await eve.post("/operator/pause", data={"workload": "countdown"})).status_code == 303
        refused(await eve.post("/operator/pause", data={"workload": "nothing"}), 404)
        deployment.worker.stop()
        deployment.worker.start()
        assert "paused: countdown\n" in deployment.worker.said().partition(" runs ")[0], "before it claims anything"
        waits = await ada.submit()
        assert (await ada.ended(await ada.submit(workload="chatty", params={"seconds": 0})))["state"] == "succeeded"
        assert (await ada.task(waits))["wait"]["reason"] == "paused"
        taskline("user", "demote", eve.username, **deployment.settings)

        async def is_known() -> bool:
            return (await eve.get("/operator", headers=PAGE)).status_code == 404

        await until(is_known)
