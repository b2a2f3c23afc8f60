"""What operators see of the whole service, and starting failures again, on both databases and with everything real but the workers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from app.catalogue import LeftOut, Worker
from app.errors import NotFound
from app.migrate import upgrade
from app.ops.backlog import backlog
from app.ops.history import MINUTES, minutes, quantile, times
from app.resources import Resources, open_resources
from app.settings import Settings
from app.tasks.commands import Accepted, Submission
from app.tasks.model import Claim
from app.web.operator_view import document
from tests.contracts.task_databases import draft, ending
from tests.contracts.test_estimates import offered

ADA, BOB = 1, 2
WORKER = uuid4()
BROKEN = {"kind": "error", "message": "The disk is full.", "hint": "Make room."}


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Resources]:
    await upgrade(database_url)
    environ = {
        "TASKLINE_DATABASE_URL": database_url,
        "TASKLINE_DATA_DIR": str(tmp_path),
        "TASKLINE_LIMIT_WAITING": "20",
    }
    async with open_resources(Settings.from_environment(environ)) as made:
        for user in (ADA, BOB):
            await made.db.execute("INSERT INTO streams (user_id) VALUES (:user)", {"user": user})
        await made.catalogue.publish([offered("work"), offered("long")])
        yield made


async def started(service: Resources, *owners: int, workload: str = "work") -> list[Claim]:
    """Tasks of these people that a worker runs."""
    for owner in owners:
        await service.tasks.submit(owner, Submission(workload=workload, params={}))
    return list(await service.moves.claim(WORKER, "light", {workload: 1}, 100))


async def failed(service: Resources, *owners: int, workload: str = "work", **error: str) -> list[UUID]:
    """Tasks of these people that have failed."""
    claims = await started(service, *owners, workload=workload)
    why = orjson.dumps({**BROKEN, **error}).decode()
    await service.moves.finish([ending(claim, "failed", error=why) for claim in claims])
    return [claim.id for claim in claims]


async def test_queues_by_workload_with_the_oldest_and_what_runs_where(service: Resources) -> None:
    claims = await started(service, ADA, BOB)
    soon = datetime.now(UTC) + timedelta(hours=1)
    for run_at in (None, None, soon):
        await service.tasks.submit(ADA, Submission(workload="work", params={}, run_at=run_at))
    await service.moves.submit([draft(ADA, workload="gone", lane="heavy")])
    seen = await backlog(service.db, await service.catalogue.all())
    figures = {(one.lane, one.workload): (one.waiting, one.later, one.running) for one in seen.queues}
    assert figures == {("light", "work"): (2, 1, 2), ("light", "long"): (0, 0, 0), ("heavy", "gone"): (1, 0, 0)}
    oldest = {one.workload: one.oldest for one in seen.queues}
    assert oldest["long"] is None
    assert oldest["work"] is not None
    assert timedelta(0) <= seen.now - oldest["work"] < timedelta(minutes=1)
    assert seen.running == {str(WORKER): {("light", "work"): len(claims)}}


async def test_ends_a_minute_survive_the_deletion_of_their_tasks(service: Resources) -> None:
    claims = await started(service, ADA, ADA, BOB)
    await service.moves.finish([ending(claims[0], "succeeded"), ending(claims[1], "failed", error="{}")])
    await service.moves.finish([ending(claims[2], "cancelled")])
    before = await minutes(service.db, await service.db.now())
    await service.tasks.delete(ADA, claims[0].id)
    now = await service.db.now()
    seen = await minutes(service.db, now)
    assert [seen[place].at - seen[place - 1].at for place in range(1, MINUTES)] == [timedelta(minutes=1)] * (
        MINUTES - 1
    )
    assert seen[-1].at <= now < seen[-1].at + timedelta(minutes=1)
    assert [sum(getattr(one, kind) for one in seen) for kind in ("succeeded", "failed", "cancelled")] == [1, 1, 1]
    assert sum(one.ends for one in before) == 3
    later = await minutes(service.db, now + timedelta(minutes=61))
    assert sum(one.ends for one in later) == 0


async def test_waits_and_runs_by_workload(service: Resources) -> None:
    claims = await started(service, *[ADA] * 4)
    async with service.db.transaction():
        for place, claim in enumerate(claims):
            values = {"id": claim.id, "at": await service.db.now() + timedelta(seconds=100 * (place + 1))}
            await service.db.execute("UPDATE tasks SET started_at = :at WHERE id = :id", values)
    await service.moves.finish([ending(claim, "succeeded") for claim in claims[:3]])
    await service.moves.finish([ending(claims[3], "failed", error="{}")])
    found = await times(service.db)
    assert set(found) == {"work"}
    assert found["work"].wait_p50 == pytest.approx(200, abs=30)
    assert found["work"].wait_p95 == pytest.approx(400, abs=30)
    assert found["work"].run_p50 == pytest.approx(-200, abs=30), "of what succeeded alone"


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.95, 10), (0.1, 1), (1, 10)])
def test_a_quantile_is_a_value_that_was_seen(share: float, value: float) -> None:
    assert quantile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], share) == value
    assert quantile([], share) is None


async def test_failures_are_grouped_by_cause_and_started_again_as_their_owners_would(service: Resources) -> None:
    failures = service.overview.failures
    full = await failed(service, ADA, ADA, BOB)
    await failed(service, BOB, workload="long", kind="timeout", message="It took longer than it may.")
    causes = await failures.causes()
    assert [(one.workload, one.kind, one.message, one.number) for one in causes] == [
        ("long", "timeout", "It took longer than it may.", 1),
        ("work", "error", "The disk is full.", 3),
    ]
    assert causes[0].last >= causes[1].last
    done, other = await asyncio.gather(
        failures.retry(causes[1].key), failures.retry(causes[1].key), return_exceptions=True
    )
    assert not isinstance(done, BaseException)
    assert done.refused == 0
    assert isinstance(other, NotFound) or not isinstance(other, BaseException)
    rows = await service.db.fetch_all("SELECT user_id, retry_of, state FROM tasks WHERE retry_of IS NOT NULL")
    assert sorted((row["user_id"], str(row["retry_of"])) for row in rows) == sorted(
        zip((ADA, ADA, BOB), map(str, full), strict=True)
    ), "each once, though two pressed at once"
    assert {row["state"] for row in rows} == {"queued"}
    epoch, heard = await service.log.page(BOB, None, 100)
    assert epoch
    assert orjson.loads(heard[-1].text)["type"] == "task.queued", "its owner hears of it"
    assert [one.workload for one in await failures.causes()] == ["long"], "what was started again is none any more"
    with pytest.raises(NotFound):
        await failures.retry(causes[1].key)


async def test_what_fails_again_at_once_waits_for_another_press(
    service: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    retry = service.tasks.retry

    async def fails(*args: Any, **more: Any) -> Accepted:
        made = await retry(*args, **more)
        claims = await service.moves.claim(WORKER, "light", {"work": 1}, 100)
        await service.moves.finish([ending(claim, "failed", error=orjson.dumps(BROKEN).decode()) for claim in claims])
        return made

    await failed(service, ADA, BOB)
    (cause,) = await service.overview.failures.causes()
    monkeypatch.setattr(service.tasks, "retry", fails)
    assert (await service.overview.failures.retry(cause.key)).started == 2
    (again,) = await service.overview.failures.causes()
    assert (again.key, again.number) == (cause.key, 2)


async def test_what_cannot_be_started_again_keeps_nothing_else_from_it(service: Resources) -> None:
    failures = service.overview.failures
    await failed(service, *[ADA] * 3, BOB)
    for _ in range(17):  # which makes twenty, the most that may wait as far as this process has counted
        await service.tasks.submit(ADA, Submission(workload="long", params={}))
    (cause,) = await failures.causes()
    done = await failures.retry(cause.key)
    assert (done.started, done.refused) == (1, 3)
    (left,) = await failures.causes()
    assert (left.number, left.key) == (3, cause.key)


async def test_the_document_tells_nothing_of_what_is_in_a_task(service: Resources) -> None:
    claims = await started(service, ADA)
    await service.tasks.submit(ADA, Submission(workload="long", params={}, name="Payroll of Ada"))
    await service.moves.finish(
        [ending(claims[0], "succeeded", summary="Secret sum", result='{"value": "Secret value"}')]
    )
    await failed(service, BOB)
    now = datetime.now(UTC)
    row = Worker(
        id=WORKER, host="here", pid=7, version="1", started_at=now, last_seen_at=now, workloads={"work": 1}, slots={"light": 3},
        left_out=(LeftOut("press", "it cannot be imported"),),
    )  # fmt: skip
    await service.catalogue.beat(row)
    await service.pauses.pause("long", operator=ADA)
    await started(service, BOB)
    seen = orjson.loads(orjson.dumps(document(await service.overview.view(now=True))))
    (worker,) = seen["workers"]
    assert (worker["alive"], worker["lanes"]) == (True, [{"lane": "light", "slots": 3, "running": 1}])
    assert worker["running"] == [{"workload": "work", "number": 1}]
    assert worker["left_out"] == [{"source": "press", "reason": "it cannot be imported"}]
    assert {one["workload"]: one["paused_at"] is not None for one in seen["queues"]} == {"work": False, "long": True}
    assert [one["message"] for one in seen["failures"]] == ["The disk is full."]
    assert len(seen["minutes"]) == MINUTES
    text = orjson.dumps(seen).decode()
    for secret in ("Payroll", "Secret", "Make room"):
        assert secret not in text
