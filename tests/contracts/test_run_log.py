"""The log of a task's runs, on both databases: bounded, each attempt apart, and written by nobody but who holds the claim."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from app.errors import NotFound
from app.tasks.model import Claim, LogPiece
from app.tasks.run_log import MOST_ATTEMPTS, MOST_LINES, WRITE_SQLITE
from tests.contracts.task_databases import Tasks, task_database

ADA, BOB = 1, 2


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        await made.user(ADA)
        yield made


def piece(claim: Claim, first: int, last: int, **changes: Any) -> LogPiece:
    lines = [{"at": "2026-11-24T12:00:00+00:00", "level": "info", "text": f"line {n}"} for n in range(first, last + 1)]
    return LogPiece(
        **{
            "id": claim.id,
            "attempt": claim.attempt,
            "token": claim.token,
            "first": first,
            "last": last,
            "lines": orjson.dumps(lines).decode(),
            **changes,
        }
    )


async def places(tasks: Tasks, claim: Claim, after: tuple[int, int] = (0, 0)) -> list[tuple[int, int]]:
    lines = await tasks.store.lines(ADA, claim.id, after)
    assert all(line.text == f"line {line.number}" for line in lines)
    return [line.place for line in lines]


async def begun(tasks: Tasks) -> Claim:
    await tasks.submit(ADA)
    (claim,) = await tasks.claim()
    return claim


async def test_lines_are_there_while_the_task_runs_and_after_it(tasks: Tasks) -> None:
    claim = await begun(tasks)
    assert await places(tasks, claim) == []
    await tasks.moves.keep_log([piece(claim, 1, 2)])
    assert await places(tasks, claim) == [(1, 1), (1, 2)]
    await tasks.moves.keep_log([piece(claim, 3, 4)])
    await tasks.end(claim, "succeeded")
    assert await places(tasks, claim) == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert await places(tasks, claim, (1, 3)) == [(1, 4)]


async def test_attempts_stay_apart(tasks: Tasks) -> None:
    claim = await begun(tasks)
    await tasks.moves.keep_log([piece(claim, 1, 2)])
    await tasks.end(claim, "retry", retry_after=0.0)
    (again,) = await tasks.claim()
    await tasks.moves.keep_log([piece(again, 1, 1)])
    assert await places(tasks, claim) == [(1, 1), (1, 2), (2, 1)]
    assert await places(tasks, claim, (1, 2)) == [(2, 1)]


async def test_who_has_lost_the_claim_writes_nothing(tasks: Tasks) -> None:
    claim = await begun(tasks)
    await tasks.moves.keep_log([piece(claim, 1, 1, token=uuid4()), piece(claim, 2, 2)])
    await tasks.end(claim, "released")
    await tasks.moves.keep_log([piece(claim, 3, 3)])
    (again,) = await tasks.claim()
    await tasks.moves.keep_log([piece(claim, 3, 3), piece(again, 1, 1)])
    assert await places(tasks, claim) == [(1, 2), (2, 1)]


async def test_a_piece_that_comes_again_is_kept_once(tasks: Tasks) -> None:
    claim = await begun(tasks)
    for last in (3, 3, 5, 4):
        await tasks.moves.keep_log([piece(claim, 1, last)])
    await tasks.moves.keep_log([piece(claim, 4, 7)])  # the first lines were forgotten meanwhile
    assert await places(tasks, claim) == [(1, number) for number in range(1, 8)]


async def test_pieces_with_the_same_beginning_may_come_in_one_call(tasks: Tasks) -> None:
    claim, other = await begun(tasks), await begun(tasks)
    pieces = [piece(claim, 1, 2), piece(other, 1, 1), piece(claim, 1, 4), piece(claim, 1, 3), piece(other, 2, 2)]
    await tasks.moves.keep_log(pieces)
    assert await places(tasks, claim) == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert await places(tasks, other) == [(1, 1), (1, 2)]


async def test_the_last_lines_of_an_attempt_are_kept(tasks: Tasks) -> None:
    claim = await begun(tasks)
    for start in range(1, 3_000, 400):
        await tasks.moves.keep_log([piece(claim, start, start + 399)])
    found = await places(tasks, claim)
    assert (len(found), found[0], found[-1]) == (MOST_LINES, (1, 2_201), (1, 3_200))
    stored = await tasks.db.fetch_val("SELECT sum(last - first + 1) FROM log_pieces")
    assert int(stored) <= MOST_LINES + 400


async def test_the_newest_attempts_are_kept(tasks: Tasks) -> None:
    claim = await begun(tasks)
    for _ in range(MOST_ATTEMPTS + 1):
        await tasks.moves.keep_log([piece(claim, 1, 1)])
        await tasks.end(claim, "released")
        (claim,) = await tasks.claim()
    assert {attempt for attempt, _ in await places(tasks, claim)} == set(range(2, MOST_ATTEMPTS + 2))


async def test_a_log_is_its_owners_and_goes_with_its_task(tasks: Tasks) -> None:
    claim, other = await begun(tasks), await begun(tasks)
    await tasks.moves.keep_log([piece(claim, 1, 1), piece(other, 1, 1)])
    with pytest.raises(NotFound):
        await tasks.store.lines(BOB, claim.id)
    await tasks.end(claim, "failed")
    await tasks.moves.delete(ADA, claim.id)
    with pytest.raises(NotFound):
        await tasks.store.lines(ADA, claim.id)
    assert await tasks.db.fetch_val("SELECT count(*) FROM log_pieces") == 1
    assert await places(tasks, other) == [(1, 1)]


async def test_sqlite_does_not_read_the_logs_of_all_tasks_to_write_one(tmp_path: Path) -> None:
    async with task_database(f"sqlite:///{tmp_path}/tasks.db") as tasks:
        for sql in WRITE_SQLITE:
            plan = [row["detail"] for row in await tasks.db.hot(f"EXPLAIN QUERY PLAN {sql}", "[]")]
            assert plan
            assert not [step for step in plan if step.startswith(("SCAN log_pieces", "SCAN tasks", "SCAN t"))]
