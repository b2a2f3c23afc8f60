"""Work in a process of its own that takes more than its share fails alone, with a clear error, and nothing of it is left."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.test_execution import Heard
from workers import family
from workers.allowance import Allowance
from workers.assignment import Assignment, Outcome, Stop
from workers.describe import describe
from workers.execution import Execution
from workers.log_book import LogBook

GREEDY = "tests.integration.greedy"
Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture(scope="module")
async def execution() -> AsyncIterator[Execution]:
    catalogue = await describe([GREEDY])
    assert not catalogue.skipped
    execution = Execution(catalogue, warm=2)
    execution.open()
    yield execution
    await execution.close()
    assert ours(execution) == []


@pytest.fixture
def run(execution: Execution, tmp_path: Path) -> Run:
    async def run(
        workload: str,
        *,
        stop: Stop | None = None,
        reports: Heard | None = None,
        book: LogBook | None = None,
        **params: Any,
    ) -> Outcome:
        assignment = Assignment(
            task_id=uuid4(),
            attempt=1,
            claim=uuid4(),
            workload=workload,
            version=1,
            params=params,
            files={},
            folder=tmp_path / uuid4().hex,
            book=book or LogBook(),
        )
        return await asyncio.wait_for(execution.run(assignment, reports or Heard(), stop or Stop()), 25)

    return run


def ours(execution: Execution) -> list[int]:
    """Every living process that is a child of these, or that one of them has started."""
    found = []
    mark = b"\0" + execution._children._mark.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        one = family.member(int(folder.name))
        try:
            marked = mark in b"\0" + (folder / "environ").read_bytes()
        except OSError:
            continue
        if one is not None and not one.dead and marked:
            found.append(one.pid)
    return found


def children_of(execution: Execution) -> set[int]:
    return {child.pid for child in execution._children._alive}


async def nothing_left(execution: Execution) -> None:
    if execution._children._starting is not None:
        await asyncio.wait([execution._children._starting])  # the next spare
    mine = children_of(execution)
    strangers = [pid for pid in ours(execution) if pid not in mine and os.getsid(pid) not in mine]
    assert [pid for pid in mine if len(family.family(pid)) > 1] == []
    assert strangers == []


MEMORY = ("error", "The task used more than its limit of 96 MiB of memory.")
DISK = ("error", "The task filled more than its limit of 16 MiB of disk.")
FORKS = ("error", "The task had more than its limit of 8 processes at once.")


@pytest.mark.parametrize(
    ("workload", "params", "error"),
    [
        ("forks", {"how": "fork"}, FORKS),
        ("forks", {"how": "slow"}, FORKS),
        ("forks", {"how": "leave"}, FORKS),
        ("hogs", {"how": "steps"}, MEMORY),
        ("hogs", {"how": "forked"}, MEMORY),
        ("hogs", {"how": "at once"}, ("error", "The task ran out of memory")),
        ("fills", {"how": "files"}, DISK),
        ("fills", {"how": "removed"}, DISK),
        ("fills", {"how": "elsewhere"}, DISK),
        ("fills", {"how": "empty"}, DISK),
        ("fills", {"how": "one file"}, ("error", "OSError: [Errno 27] File too large")),
        ("spins", {}, ("timeout", "The task used up its limit of 0.5 seconds of processor time.")),
    ],
    ids=lambda value: value.get("how", "") if isinstance(value, dict) else None,
)
async def test_what_takes_too_much_fails_alone(
    run: Run, execution: Execution, tmp_path: Path, workload: str, params: dict[str, Any], error: tuple[str, str]
) -> None:
    greedy, *others = await asyncio.gather(run(workload, **params), *(run("small", number=n) for n in range(3)))
    assert greedy.kind == "failed", greedy
    assert greedy.error is not None
    assert (greedy.error["kind"], greedy.error["message"]) == error
    assert greedy.error["hint"]
    assert [(other.kind, other.summary) for other in others] == [("succeeded", str(2 * n)) for n in range(3)]
    await nothing_left(execution)


@pytest.mark.parametrize(("how", "kind"), [("return", "succeeded"), ("exit", "crashed"), ("segfault", "crashed")])
async def test_nothing_goes_on_after_its_end(run: Run, execution: Execution, how: str, kind: str) -> None:
    book = LogBook()
    outcome = await run("leaves", how=how, book=book)
    assert outcome.kind == kind
    await nothing_left(execution)
    [pid] = [int(line.text.split()[1]) for line in book.lines if line.text.startswith("left ")]
    left = family.member(pid)
    assert left is None or left.dead, "whoever adopted it collects it in a moment"


async def test_a_child_whose_thread_goes_on_computing_is_not_kept(run: Run, execution: Execution) -> None:
    assert (await run("leaves", how="thread")).kind == "succeeded"
    [child] = [one for one in execution._children._alive if one.target == f"{GREEDY}:leaves"]
    await asyncio.wait_for(child._process._dead.wait(), 20)


async def test_a_cancel_ends_a_busy_process_in_two_seconds(run: Run, execution: Execution) -> None:
    stop, heard = Stop(), Heard()
    attempt = asyncio.ensure_future(run("loops", how="deaf", stop=stop, reports=heard))
    await heard.first.wait()
    [busy] = [child.pid for child in execution._children._alive if child.target == f"{GREEDY}:loops"]
    loop = asyncio.get_running_loop()
    asked = loop.time()
    stop.cancel()
    assert (await attempt).kind == "cancelled"
    assert loop.time() - asked < 2
    assert family.member(busy) is None


async def test_a_number_that_may_be_anothers_is_never_killed(
    run: Run, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run("small", number=1)
    child = next(one for one in execution._children._idle if one.target and one.target.endswith(":small"))
    os.kill(child.pid, signal.SIGKILL)
    await child._process._dead.wait()
    assert family.member(child.pid) is not None, "it is kept, so that nobody else has its number"
    assert not child.usable
    assert await child.gone() == -signal.SIGKILL
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _: signalled.append(pid))
    monkeypatch.setattr(os, "kill", lambda pid, _: signalled.append(pid))
    child.kill()
    child.interrupt()
    assert signalled == []
    stranger = family.member(os.getpid())
    assert stranger is not None
    family.send([family.Member(os.getpid(), stranger.session, stranger.started - 1, 0.0, dead=False)], signal.SIGKILL)


def test_an_allowance_is_the_workloads_own_or_the_usual() -> None:
    usual = Allowance(memory_mib=100, disk_mib=200, processes=3)
    described = asyncio.run(describe([GREEDY])).workloads
    assert Allowance.of(described["hogs"], usual) == Allowance(memory_mib=96, disk_mib=200, processes=3)
    assert Allowance.of(described["spins"], usual) == Allowance(memory_mib=100, disk_mib=200, processes=3, cpu_s=0.5)
