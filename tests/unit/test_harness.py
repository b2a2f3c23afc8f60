"""The fixture `tasks` that authors get: it runs their workloads as the service would."""

import asyncio
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field

from taskline import Accept, Cancelled, Context, Fail, File, Rejected, RetryLater, workload
from taskline.testing import Harness, NotAccepted

Trail = list[str]
TRAIL: Trail = []


@pytest.fixture(autouse=True)
def trail() -> Trail:
    """What the workloads below did, outside their results."""
    TRAIL.clear()
    return TRAIL


class NotCsv(Rejected):
    """This is not a CSV file with a header."""


@workload
def profile(ctx: Context, file: Annotated[File, Accept(".csv")]) -> dict[str, int]:
    """Count the empty cells of each column."""
    with ctx.phase("Reading", share=0.3):
        header, *rows = [line.split(",") for line in file.path.read_text().splitlines()]
        if len(header) < 2:
            raise NotCsv(hint="Export it with a header line.")
    empty = [sum(not row[at] for row in rows) for at, _ in enumerate(ctx.track(header, "column"))]
    ctx.table("columns", [{"column": name, "empty": n} for name, n in zip(header, empty, strict=True)])
    ctx.chart("empty", "bar", x=header, y=empty)
    ctx.artifact("names.txt", "\n".join(header).encode())
    print("all columns seen\nand counted", end="")
    return {"rows": len(rows), "columns": len(header)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("name,age\nAda,\nBob,7\n")
    return path


def test_a_run_shows_what_the_owner_sees(tasks: Harness, source: Path) -> None:
    run = tasks.run(profile, {"file": source})
    assert (run.state, run.attempts, run.value) == ("succeeded", 1, {"rows": 2, "columns": 2})
    assert run.told == ["task.queued", "task.started", "task.succeeded"]
    assert run.tables == {"columns": [{"column": "name", "empty": 0}, {"column": "age", "empty": 1}]}
    assert run.charts["empty"].series[0].values == [0, 1]
    assert run.artifacts == {"names.txt": b"name\nage"}
    assert run.metrics == {"rows": 2, "columns": 2}
    assert run.summary == "rows: 2, columns: 2"
    assert [message for _, message in run.progress] == ["Reading", "Column 1 of 2", "Column 2 of 2"]
    assert run.log == ["all columns seen", "and counted"]
    assert run.reports == 6


def test_a_task_survives_the_death_of_its_worker(tasks: Harness, source: Path) -> None:
    run = tasks.run(profile, {"file": source}, crash_at=4)
    assert (run.state, run.attempts, run.value) == ("succeeded", 2, {"rows": 2, "columns": 2})
    assert run.told == ["task.queued", "task.started", "task.retrying", "task.started", "task.succeeded"]
    assert run.seconds == 10
    assert tasks.crash_everywhere(profile, {"file": source}).value == run.value


def test_a_report_that_never_comes_is_named(tasks: Harness, source: Path) -> None:
    with pytest.raises(AssertionError, match="no report 7 to crash at: the task made 6"):
        tasks.run(profile, {"file": source}, crash_at=7)


@workload
def tidy(ctx: Context) -> None:
    """Tell what its end was like."""
    try:
        TRAIL.append(f"attempt {ctx.attempt}")
        ctx.log("working")
    finally:
        TRAIL.append("finally")


def test_a_dead_worker_cleans_nothing_up(trail: Trail) -> None:
    before = set(threading.enumerate())
    with Harness() as tasks:
        assert tasks.run(tidy, crash_at=1).attempts == 2
        assert trail == ["attempt 1", "attempt 2", "finally"]
    assert trail[3:] == ["finally"]
    assert set(threading.enumerate()) <= before


@workload
def forgetful(ctx: Context) -> int:
    """Count outside, as if it ran once only."""
    TRAIL.append("done")
    ctx.progress(0.5)
    return len(TRAIL)


def test_what_a_crash_changes_is_found(tasks: Harness) -> None:
    with pytest.raises(AssertionError, match="after a crash at report 1 of 1 the result is another"):
        tasks.crash_everywhere(forgetful)
    tasks.crash_everywhere(forgetful, same=lambda run: run.state)


@workload(timeout=timedelta(hours=1))
def naps(ctx: Context, seconds: float, many: int = 1) -> float:
    """Sleep."""
    for _ in ctx.track(range(many), "nap"):
        try:
            ctx.sleep(seconds)
        except Exception:  # noqa: BLE001  as authors write it; Cancelled is none
            TRAIL.append("swallowed")
    return ctx.remaining()


@workload(timeout=3600)
async def waits(ctx: Context, seconds: float, many: int = 1) -> float:
    """Sleep on the loop."""
    for _ in ctx.track(range(many), "nap"):
        await asyncio.sleep(seconds)
    return ctx.remaining()


@pytest.mark.parametrize("sleeper", [naps, waits])
def test_time_is_virtual(tasks: Harness, sleeper: Any) -> None:
    began = time.monotonic()
    run = tasks.run(sleeper, {"seconds": 60, "many": 10})
    assert run.seconds == pytest.approx(600, abs=0.5)
    assert run.value == pytest.approx(3000, abs=0.5)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("sleeper", [naps, waits])
def test_the_time_limit_is_kept(tasks: Harness, sleeper: Any) -> None:
    run = tasks.run(sleeper, {"seconds": 4000})
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["kind"] == "timeout"
    assert run.seconds == pytest.approx(3600, abs=0.5)
    assert run.told[-1] == "task.failed"


@pytest.mark.parametrize("sleeper", [naps, waits])
def test_the_owner_cancels_at_a_report(tasks: Harness, sleeper: Any, trail: Trail) -> None:
    run = tasks.run(sleeper, {"seconds": 60, "many": 10}, cancel_at=3)
    assert run.state == "cancelled"
    assert run.told == ["task.queued", "task.started", "task.cancelling", "task.cancelled"]
    assert len(run.progress) == 2
    assert run.seconds < 130
    assert trail == []
    with pytest.raises(AssertionError, match="the task was cancelled"):
        print(run.value)


async def test_it_runs_inside_an_asynchronous_test_too(tasks: Harness) -> None:
    assert tasks.run(waits, {"seconds": 1}, crash_at=1).attempts == 2


@workload
async def stubborn(ctx: Context) -> None:
    """Swallow every cancellation."""
    ctx.progress(None, "begins")
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            TRAIL.append("swallowed")


def test_a_coroutine_that_swallows_its_end_is_left_behind(tasks: Harness, trail: Trail) -> None:
    assert tasks.run(stubborn, cancel_at=1).state == "cancelled"
    assert trail == ["swallowed"]


@workload
def deaf(ctx: Context) -> None:
    """Swallow every Cancelled."""
    while True:
        try:
            ctx.progress(0.1)
        except Cancelled:
            TRAIL.append("swallowed")


def test_a_process_that_swallows_its_end_is_killed(tasks: Harness, trail: Trail) -> None:
    assert tasks.run(deaf, cancel_at=2).state == "cancelled"
    assert trail == ["swallowed"]


@workload(retries=2, retry_on=(ConnectionError,))
def flaky(ctx: Context, fails: int, how: str = "named") -> int:
    """Fail so many times."""
    if ctx.attempt <= fails:
        match how:
            case "named":
                raise ConnectionError("nobody answers")
            case "later":
                raise RetryLater("not yet", after=timedelta(minutes=5))
            case "rejected":
                raise NotCsv(hint="Another file.")
            case "final":
                raise Fail("no way")
        raise ValueError("a bug")
    return ctx.attempt


@pytest.mark.parametrize(
    ("how", "fails", "attempts", "error"),
    [
        ("named", 2, 3, None),
        ("later", 1, 2, None),
        ("named", 3, 3, ("error", "ConnectionError: nobody answers", None)),
        ("rejected", 1, 1, ("rejected", "This is not a CSV file with a header.", "Another file.")),
        ("final", 1, 1, ("error", "no way", None)),
        ("bug", 1, 1, ("error", "ValueError: a bug", None)),
    ],
)
def test_errors_end_a_task_or_bring_another_attempt(
    tasks: Harness, how: str, fails: int, attempts: int, error: tuple[str, str, str | None] | None
) -> None:
    run = tasks.run(flaky, {"fails": fails, "how": how})
    assert run.attempts == attempts
    assert (tuple(run.error.values()) if run.error else None) == error
    assert run.told.count("task.retrying") == attempts - 1
    if how == "later":
        assert run.seconds == 300


@workload(retries=1, retry_on=(ConnectionError,))
def fails_late(ctx: Context, fails: int) -> int:
    """Report, and fail until that attempt."""
    ctx.log("begins")
    if ctx.attempt <= fails:
        raise ConnectionError("nobody answers")
    return ctx.attempt


def test_a_dead_worker_is_no_try_of_the_workload(tasks: Harness) -> None:
    assert tasks.run(fails_late, {"fails": 2}, crash_at=1).value == 3
    run = tasks.run(fails_late, {"fails": 3}, crash_at=1)
    assert (run.state, run.attempts) == ("failed", 3)


def test_the_value_of_a_failed_task_raises_with_its_cause(tasks: Harness) -> None:
    run = tasks.run(flaky, {"fails": 1, "how": "bug"})
    with pytest.raises(AssertionError, match="the task failed: error: ValueError: a bug") as caught:
        print(run.value)
    assert isinstance(caught.value.__cause__, ValueError)


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("must be even")
    return number


@workload(version=2, secrets=("TOKEN",))
def halve(ctx: Context, number: Annotated[int, Field(ge=0), AfterValidator(_even)]) -> str:
    """Halve an even number."""
    return f"{number // 2} {ctx.secret('TOKEN')}"


@halve.upgrade(1)
def _number(params: dict[str, Any]) -> dict[str, Any]:
    return {"number": params["n"]}


def test_params_cross_json_and_both_validators(tasks: Harness) -> None:
    with pytest.raises(NotAccepted) as caught:
        tasks.run(halve, {"number": -2})
    assert list(caught.value.fields) == ["number"]
    with pytest.raises(NotAccepted) as caught:
        tasks.run(halve, {"unexpected": 1})
    assert caught.value.fields == {"number": "is required", "unexpected": "is not a param of this workload"}
    with pytest.raises(NotAccepted, match="unexpected"):
        tasks.run(halve, {"number": 2, "unexpected": 1})
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        tasks.run(halve, {"number": object()})
    run = tasks.run(halve, {"number": 3})
    assert run.error is not None
    assert run.error["kind"] == "rejected"
    assert "must be even" in str(run.error["message"])


def test_secrets_and_older_versions(tasks: Harness) -> None:
    assert tasks.run(halve, {"n": 8}, version=1, secrets={"TOKEN": "t", "OTHER": "o"}).value == "4 t"
    assert "not declared" in str(tasks.run(halve, {"number": 2}).error)


@workload(version=2)
def sizes(ctx: Context, file: File) -> int:
    """Count bytes."""
    return len(file.path.read_bytes())


@sizes.upgrade(1)
def _csv(params: dict[str, Any]) -> dict[str, Any]:
    return {"file": params["csv"]}


def test_a_file_of_an_older_version_is_uploaded_whatever_its_param_was_called(tasks: Harness, source: Path) -> None:
    assert tasks.run(sizes, {"csv": source}, version=1).value == len(source.read_bytes())


def test_reporting_what_makes_no_sense_raises(tasks: Harness) -> None:
    @workload
    def wrong(ctx: Context) -> None:
        """Draw what is not there."""
        ctx.chart("nothing", "bar", x=[1, 2], y=[1])

    assert "1 values for 2 places" in str(tasks.run(wrong).error)

    @workload
    def loud(ctx: Context) -> None:
        """Say it with a level that is none."""
        ctx.log("a line", level="warn")  # type: ignore[arg-type]

    assert "no level 'warn'" in str(tasks.run(loud).error)


def test_real_threads_and_virtual_time_go_together(tasks: Harness) -> None:
    @workload
    async def both() -> bool:
        """Wait for a thread with a deadline far away."""
        return await asyncio.wait_for(asyncio.to_thread(threading.Event().wait, 0.05), 3000)

    run = tasks.run(both)
    assert run.value is False
    assert 0.04 < run.seconds < 60
