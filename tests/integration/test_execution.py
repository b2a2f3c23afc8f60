"""Real attempts in every mode: what a workload does ends in an outcome, in time, and harms nobody else."""

import asyncio
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from workers.assignment import Assignment, LocalFile, Outcome, Stop
from workers.child_handle import Child
from workers.describe import describe
from workers.execution import Execution
from workers.log_book import LogBook

SAMPLES = "tests.integration.samples"
ENVIRON = {
    "PATH": os.environ["PATH"],
    "TASKLINE_SECRET_KEY": "never",
    "AWS_SECRET_ACCESS_KEY": "never",
    "SAMPLE_TOKEN": "for secretive",
}


class Heard:
    """Reports that keep what they hear."""

    def __init__(self) -> None:
        self.said: list[tuple[float | None, str]] = []
        self.first = asyncio.Event()

    def progress(self, fraction: float | None, message: str) -> None:
        self.said.append((fraction, message))
        self.first.set()


Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture(scope="module")
async def execution() -> AsyncIterator[Execution]:
    catalogue = await describe([SAMPLES])
    assert not catalogue.skipped
    execution = Execution(catalogue, environ=ENVIRON)
    execution.open()
    yield execution
    await execution.close()


@pytest.fixture
def run(execution: Execution, tmp_path: Path) -> Run:
    async def run(workload: str, params: dict[str, Any] | None = None, **changes: Any) -> Outcome:
        reports, stop = changes.pop("reports", Heard()), changes.pop("stop", Stop())
        values: dict[str, Any] = {
            "attempt": 1,
            "version": 1,
            "files": {},
            "folder": tmp_path / uuid4().hex,
        } | changes
        assignment = Assignment(task_id=uuid4(), claim=uuid4(), workload=workload, params=params or {}, **values)
        return await execution.run(assignment, reports, stop)

    return run


def file_at(path: Path, content: bytes) -> LocalFile:
    path.write_bytes(content)
    return LocalFile(id="f1", name="upload.txt", size=len(content), sha256="0" * 64, path=path)


def error_of(outcome: Outcome) -> tuple[str, str, str | None]:
    assert outcome.error is not None
    return outcome.error["kind"], outcome.error["message"], outcome.error["hint"]


async def test_process_work_succeeds_with_all_it_made(run: Run, tmp_path: Path) -> None:
    heard, book = Heard(), LogBook()
    files = {"f1": file_at(tmp_path / "up", b"seven b")}
    outcome = await run("measure", {"file": "f1"}, files=files, reports=heard, book=book)
    assert outcome.kind == "succeeded", outcome
    assert outcome.result is not None
    assert outcome.result["value"] == {"bytes": 7, "label": None}
    assert outcome.summary == "bytes: 7, label: None"
    assert [block["type"] for block in outcome.result["blocks"]] == ["metric", "metric", "table", "file", "file"]
    assert [(one.name, one.media_type, one.size, one.path.read_bytes()) for one in outcome.artifacts] == [
        ("made.txt", "text/plain", 4, b"made"),
        ("bytes.bin", "application/octet-stream", 2, b"\x00\x01"),
    ]
    assert sorted(line.text for line in book.lines) == ["counting", "printed upload.txt", "to the other stream"]
    assert heard.said[0] == (0.0, "Part 1 of 3")
    assert [fraction for fraction, _ in heard.said] == sorted(fraction or 0 for fraction, _ in heard.said)


async def test_a_param_that_the_schema_could_not_refuse_is_rejected_by_name(run: Run) -> None:
    kind, message, _ = error_of(await run("measure", {"file": "gone", "label": 3}))
    assert kind == "rejected"
    assert "file: This file does not exist any more" in message
    assert "label: " in message


@pytest.mark.parametrize(
    ("workload", "params", "kind", "error"),
    [
        ("bad_input", {}, "failed", ("rejected", "This file has no header.", "Export it with a header line.")),
        ("fails", {}, "failed", ("error", "It is over", "Try something else.")),
        ("later", {"after": 5}, "retry", ("error", "Not now", None)),
        ("raises", {"kind": "connection"}, "retry", ("error", "ConnectionResetError: the other end is gone", None)),
        ("raises", {"kind": "value"}, "failed", ("error", "ValueError: two is not three", None)),
        ("raises", {"kind": "unshowable"}, "failed", ("error", "Unshowable", None)),
        ("raises", {"kind": "exit"}, "failed", ("error", "The workload ended its process with sys.exit(3)", None)),
        (
            "raises",
            {"kind": "memory"},
            "failed",
            (
                "error",
                "The task ran out of memory",
                "Give it less to do at once, or raise the workload's `memory_mib`.",
            ),
        ),
        (
            "dies",
            {"how": "segfault"},
            "crashed",
            (
                "lost",
                "The process running this task was killed by signal 11 (SIGSEGV)",
                "A library that it uses has a fault: it touched memory that is not its own. Try another input.",
            ),
        ),
        (
            "dies",
            {"how": "os._exit"},
            "crashed",
            (
                "lost",
                "The process running this task ended by itself, with exit status 7",
                "The workload, or a library that it uses, ends its process instead of returning; the task's log may say why.",
            ),
        ),
        ("on_loop", {"how": "raise"}, "failed", ("error", "ValueError: two is not three", None)),
        ("on_loop", {"how": "exit"}, "failed", ("error", "The workload ended its process with sys.exit(4)", None)),
    ],
)
async def test_what_goes_wrong_is_said_in_the_outcome(
    run: Run, workload: str, params: dict[str, Any], kind: str, error: tuple[str, str, str | None]
) -> None:
    outcome = await run(workload, params)
    assert (outcome.kind, error_of(outcome)) == (kind, error)


async def test_a_retry_says_when(run: Run) -> None:
    assert (await run("later", {"after": 5})).retry_after == 5
    assert (await run("later")).retry_after is None
    assert (await run("raises", {"kind": "json"})).kind == "retry"
    assert (await run("later", {"after": 5}, attempt=3)).kind == "retry", (
        "the store counts what went wrong, not attempts"
    )


async def test_a_killed_process_keeps_what_it_printed_and_hints_at_memory(run: Run) -> None:
    book = LogBook()
    outcome = await run("dies", {"how": "kill"}, book=book)
    assert [line.text for line in book.lines] == ["last words"]
    assert "memory" in (error_of(outcome)[2] or "")


async def test_a_process_that_writes_nonsense_on_its_line_is_ended(run: Run) -> None:
    started = time.monotonic()
    assert error_of(await run("babbles"))[1] == "The process running this task sent what is not understood"
    assert time.monotonic() - started < 5


async def test_a_crash_ends_its_task_alone(run: Run) -> None:
    outcomes = await asyncio.gather(
        run("patient", stop=(stop := Stop()), reports=(heard := Heard())),
        run("dies", {"how": "segfault"}),
        _after(heard, stop),
    )
    assert [outcome.kind for outcome in outcomes if outcome] == ["cancelled", "crashed"]


async def _after(heard: Heard, stop: Stop) -> None:
    await heard.first.wait()
    stop.cancel()


@pytest.mark.parametrize(
    ("workload", "how", "within"),
    [
        ("overdue", "sleep", 3),
        ("overdue", "swallow", 3),
        ("overdue", "catch", 3),
        ("overdue", "swallow all", 6),
        ("overdue", "deaf", 6),
        ("in_thread", "sleep", 3),
        ("in_thread", "spin", 3),
        ("on_loop", "sleep", 3),
        ("on_loop", "swallow", 6),
    ],
)
async def test_the_time_limit_is_kept_in_every_mode(run: Run, workload: str, how: str, within: float) -> None:
    started = time.monotonic()
    outcome = await run(workload, {"how": how})
    assert time.monotonic() - started < within
    assert (outcome.kind, error_of(outcome)[:2]) == (
        "failed",
        ("timeout", "The task took longer than its limit of 0.3 seconds."),
    )


async def test_clean_up_after_a_cancel_is_let_run(run: Run) -> None:
    for workload, params in (("patient", {}), ("on_loop", {"how": "sleep"})):
        stop, heard, book = Stop(), Heard(), LogBook()
        attempt = asyncio.ensure_future(run(workload, params, stop=stop, reports=heard, book=book))
        await heard.first.wait()
        stop.cancel()
        outcome = await asyncio.wait_for(attempt, 5)
        assert (outcome.kind, [line.text for line in book.lines]) == ("cancelled", ["cleaned up"])


async def test_a_cancel_that_comes_before_the_work_ends_it_too(run: Run) -> None:
    for workload in ("patient", "in_thread", "on_loop"):
        stop = Stop()
        stop.cancel()
        assert (
            await asyncio.wait_for(run(workload, {} if workload == "patient" else {"how": "sleep"}, stop=stop), 5)
        ).kind == "cancelled"


async def test_abandoned_work_is_killed_at_once_with_the_programs_it_started(run: Run, tmp_path: Path) -> None:
    stop, heard, pids = Stop(), Heard(), tmp_path / "pids"
    attempt = asyncio.ensure_future(run("patient", {"pid_file": str(pids)}, stop=stop, reports=heard))
    await heard.first.wait()
    stop.abandon()
    assert (await asyncio.wait_for(attempt, 3)).kind == "withdrawn"
    for pid in map(int, pids.read_text().split()):
        await gone(pid)


async def test_a_child_outlives_the_service_managers_sigterm(run: Run, tmp_path: Path) -> None:
    stop, heard, pids, book = Stop(), Heard(), tmp_path / "pids", LogBook()
    attempt = asyncio.ensure_future(run("patient", {"pid_file": str(pids)}, stop=stop, reports=heard, book=book))
    await heard.first.wait()
    os.kill(int(pids.read_text().split()[0]), signal.SIGTERM)
    stop.cancel()
    outcome = await asyncio.wait_for(attempt, 5)
    assert (outcome.kind, [line.text for line in book.lines]) == ("cancelled", ["cleaned up"])


async def test_a_cancelled_caller_ends_the_work(run: Run, tmp_path: Path) -> None:
    heard, pids = Heard(), tmp_path / "pids"
    attempt = asyncio.ensure_future(run("patient", {"pid_file": str(pids)}, reports=heard))
    await heard.first.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    for pid in map(int, pids.read_text().split()):
        await gone(pid)


async def test_kill_all_works_from_another_thread(run: Run, execution: Execution) -> None:
    heard = Heard()
    attempt = asyncio.ensure_future(run("patient", reports=heard))
    await heard.first.wait()
    await asyncio.to_thread(execution.kill_all)
    assert (await asyncio.wait_for(attempt, 5)).kind == "withdrawn", "it is not the task's fault"
    assert (await run("who")).kind == "succeeded"


async def test_children_are_kept_warm_for_their_own_workload_alone(run: Run) -> None:
    first, second = [(await run("who")).summary for _ in range(2)]
    assert first == second
    other = await run("secretive")
    assert other.result is not None
    assert other.result["value"]["pid"] != first


async def test_a_fresh_child_waits_for_what_comes_next(run: Run, execution: Execution) -> None:
    spare = await spare_of(execution)
    assert (await run("dies", {"how": "os._exit"})).kind == "crashed"
    assert (spare.served, spare.usable) == (1, False), "it was ready, and it is gone"
    assert (await spare_of(execution)).served == 0


async def test_a_child_that_has_served_for_long_makes_way_once_there_is_another(
    run: Run, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await run("who")).summary
    monkeypatch.setattr("workers.child_handle.MOST_TASKS", 1)
    spare = await spare_of(execution)
    assert (await run("who")).summary == str(spare.pid) != first


async def spare_of(execution: Execution) -> Child:
    children = execution._children
    if children._starting is not None:
        await asyncio.wait([children._starting])
    assert children._spare is not None
    return children._spare


async def test_a_child_knows_declared_secrets_and_no_others(run: Run) -> None:
    outcome = await run("secretive")
    assert outcome.result is not None
    value = outcome.result["value"]
    assert value["token"] == "for secretive"
    assert not {"TASKLINE_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "SAMPLE_TOKEN"} & set(value["environ"].split())
    assert value["cwd"] == value["temporary"]


async def test_threads_report_their_newest_progress(run: Run) -> None:
    heard = Heard()
    assert (await run("calm_thread", {"how": "report"}, reports=heard)).kind == "succeeded"
    assert len(heard.said) < 2000
    assert heard.said[-1][1] == "Step 2,000 of 2,000"


async def test_work_on_the_loop_makes_no_folder_and_may_not_block(run: Run, tmp_path: Path) -> None:
    outcome = await run("calm_loop", {}, folder=tmp_path / "attempt")
    assert (outcome.kind, outcome.summary) == ("succeeded", "ended")
    assert not (tmp_path / "attempt").exists()
    assert "await asyncio.sleep" in error_of(await run("on_loop", {"how": "block"}))[1]


async def test_tasks_of_an_older_version_are_upgraded_or_rejected(run: Run) -> None:
    upgraded = await run("grown", {"minutes": 2}, version=2)
    assert upgraded.result is not None
    assert upgraded.result["value"] == 120
    assert error_of(await run("grown", {"hours": 1}, version=1))[::2] == ("rejected", "Start it again from its form.")
    assert (await run("grown", {"seconds": 1}, version=4)).kind == "retry"


async def test_children_and_theirs_die_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = f"""
        import asyncio, uuid
        from pathlib import Path
        from tests.integration.test_execution import Heard, SAMPLES
        from workers.assignment import Assignment, Stop
        from workers.describe import describe
        from workers.execution import Execution

        async def main():
            execution = Execution(await describe([SAMPLES]))
            execution.open()
            work = Assignment(task_id=uuid.uuid4(), attempt=1, claim=uuid.uuid4(), workload="patient", version=1,
                              params={{"pid_file": {str(pids)!r}}}, files={{}}, folder=Path({str(tmp_path / "attempt")!r}))
            heard = Heard()
            run = asyncio.ensure_future(execution.run(work, heard, Stop()))
            await heard.first.wait()
            print("running", flush=True)
            await run

        asyncio.run(main())
    """
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"running\n"
    finally:
        worker.kill()
        await worker.wait()
    for pid in map(int, pids.read_text().split()):
        await gone(pid)


async def gone(pid: int) -> None:
    """Until the process has ended, whether or not anybody has collected it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), 5)
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_a_coroutine_runs_apart_as_it_does_on_the_loop(run: Run) -> None:
    beside = await run("tells")
    apart = await run("tells", apart=True)
    assert beside.result is not None
    assert apart.result is not None
    assert beside.result["value"]["pid"] == os.getpid() != apart.result["value"]["pid"]
    assert error_of(await run("on_loop", {"how": "raise"}, apart=True))[1] == "ValueError: two is not three"
    for workload, how, within in (("on_loop", "sleep", 3), ("on_loop", "swallow", 6), ("in_thread", "spin", 3)):
        started = time.monotonic()
        assert error_of(await run(workload, {"how": how}, apart=True))[0] == "timeout"
        assert time.monotonic() - started < within


async def test_a_coroutine_apart_hears_of_its_cancel_and_may_clean_up(run: Run) -> None:
    stop, heard, book = Stop(), Heard(), LogBook()
    attempt = asyncio.ensure_future(run("calm_loop", {"how": "sleep"}, stop=stop, reports=heard, apart=True, book=book))
    await heard.first.wait()
    stop.cancel()
    outcome = await asyncio.wait_for(attempt, 5)
    assert (outcome.kind, [line.text for line in book.lines]) == ("cancelled", ["cleaned up"])


async def test_only_so_many_run_apart_at_once_and_who_waits_can_be_cancelled(
    run: Run, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_places", asyncio.Semaphore(1))
    stops, heard = (Stop(), Stop(), Stop()), Heard()
    first, second, third = (
        asyncio.ensure_future(run("calm_loop", {"how": "sleep"}, stop=stop, reports=heard, apart=True))
        for stop in stops
    )
    await heard.first.wait()
    stops[1].cancel()
    stops[2].withdraw()
    assert [(await asyncio.wait_for(one, 5)).kind for one in (second, third)] == ["cancelled", "withdrawn"]
    assert not first.done()
    stops[0].withdraw()
    assert (await asyncio.wait_for(first, 5)).kind == "withdrawn"
    assert (await run("tells", apart=True)).kind == "succeeded"


async def test_withdrawn_work_is_waited_for_where_it_cannot_be_killed(run: Run, tmp_path: Path) -> None:
    stop, heard = Stop(), Heard()
    attempt = asyncio.ensure_future(run("stubborn", {"until": str(tmp_path / "end")}, stop=stop, reports=heard))
    await heard.first.wait()
    stop.withdraw()
    done, _ = await asyncio.wait([attempt], timeout=2)
    assert not done
    (tmp_path / "end").touch()
    assert (await asyncio.wait_for(attempt, 5)).kind == "withdrawn"


async def test_what_no_json_holds_is_told_all_the_same(run: Run) -> None:
    heard, book = Heard(), LogBook()
    outcome = await run("half_said", reports=heard, book=book)
    assert outcome.kind == "succeeded", outcome
    assert [message for _, message in heard.said] == ["now \ufffd", "soon \ufffd", "at once", "the last"]
    lines = [(line.level, line.text) for line in book.lines]
    assert ("info", "log \ufffd\ufffd") in lines
    assert [level for level, text in lines if "no level 'warn'" in text or "unsupported operand" in text] == [
        "warning"
    ] * 2
    assert outcome.result is not None
    assert outcome.result["value"] == ["returned \ufffd\ufffd"]
    assert [(one.name, one.media_type, one.path.read_bytes()) for one in outcome.artifacts] == [
        ("made.txt", "text/\ufffd", b"made")
    ]


@pytest.mark.parametrize("apart", [False, True])
async def test_an_error_that_no_json_holds_ends_its_task(run: Run, apart: bool) -> None:
    outcome = await asyncio.wait_for(run("half_raised", apart=apart), 10)
    assert error_of(outcome) == ("error", "OSError: cannot open half\ufffd", None)


@pytest.mark.parametrize(
    ("workload", "params", "said"),
    [
        ("unclear", {}, "RetryLater (it cannot be shown: ValidationError)"),
        ("unclear_thread", {"kind": "unclear"}, "Fail (it cannot be shown: TypeError)"),
        ("raises", {"kind": "unclear"}, "Fail (it cannot be shown: TypeError)"),
    ],
)
async def test_an_error_that_makes_no_sense_ends_its_task(
    run: Run, workload: str, params: dict[str, Any], said: str
) -> None:
    outcome = await asyncio.wait_for(run(workload, params), 10)
    assert (outcome.kind, error_of(outcome)) == ("failed", ("error", said, None))
