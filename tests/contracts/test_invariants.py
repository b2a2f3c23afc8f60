"""The databases themselves refuse what the moves never do, whoever asks; and the guards come to a database that is full and in use."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command

from app.db import open_database
from app.migrate import _config, check, upgrade
from app.resources import moves_on
from app.tasks.log import TaskLog
from app.tasks.store import TaskStore
from tests.contracts.task_databases import Tasks, task_database

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ADA = 1
PRIORITIES = count(100)  # what comes later is claimed first


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def tasks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tasks]:
    """One database for the whole file: what is refused leaves nothing behind."""
    file = tmp_path_factory.mktemp("invariants") / "taskline.db"
    url = f"sqlite:///{file}" if request.param == "sqlite" else str(request.getfixturevalue("module_database_url"))
    async with task_database(url) as made:
        await made.user(ADA)
        yield made


async def in_state(tasks: Tasks, state: str) -> UUID:
    """A task of that state; a running one is at its second attempt after an error."""
    made = await tasks.submit(ADA, priority=next(PRIORITIES))
    if state in ("running", "succeeded"):
        (claim,) = await tasks.claim(1)
        await tasks.end(claim, "retry")
        (claim,) = await tasks.claim(1)
        assert (claim.id, claim.attempt) == (made.id, 2)
        if state == "succeeded":
            await tasks.end(claim, "succeeded")
    return made.id


@pytest.mark.parametrize(
    ("state", "change", "refused"),
    [
        ("queued", "state = 'succeeded', finished_at = :now", "illegal move"),
        ("queued", "state = 'failed', finished_at = :now", "illegal move"),
        ("queued", "state = 'paused'", "illegal move"),
        ("running", "state = 'paused', claim = NULL, lease_until = NULL, worker_id = NULL", "illegal move"),
        ("queued", "state = 'running', claim = :id, lease_until = :now, worker_id = :id", "attempt goes back or jumps"),
        (
            "queued",
            "state = 'running', attempt = 2, claim = :id, lease_until = :now, worker_id = :id",
            "attempt goes back or jumps",
        ),
        ("queued", "attempt = 1", "attempt goes back or jumps"),
        ("running", "attempt = 1", "attempt goes back or jumps"),
        ("running", "attempt = 3", "attempt goes back or jumps"),
        ("running", "errors = 0", "a count goes back"),
        ("running", "lost = -1", "a count goes back"),
        ("running", "lost = 2", "more ends than attempts"),
        ("queued", "errors = 1", "more ends than attempts"),
        ("queued", "state = 'running', attempt = 1, claim = :id, lease_until = :now", "what runs is held"),
        ("queued", "state = 'running', attempt = 1, claim = :id, worker_id = :id", "what runs is held"),
        ("queued", "state = 'running', attempt = 1, lease_until = :now, worker_id = :id", "what runs is held"),
        ("running", "claim = NULL", "what runs is held"),
        ("running", "lease_until = NULL", "what runs is held"),
        ("running", "worker_id = NULL", "what runs is held"),
        ("running", "state = 'queued'", "what runs is held"),
        ("running", "state = 'succeeded', finished_at = :now", "what runs is held"),
        ("queued", "claim = :id", "what runs is held"),
        ("running", "state = 'failed', claim = NULL, lease_until = NULL, worker_id = NULL", "what has ended says when"),
        ("queued", "state = 'cancelled'", "what has ended says when"),
        ("running", "finished_at = :now", "what has ended says when"),
        ("queued", "cancel_requested_at = :now", "a cancelled task waits again"),
        ("queued", "user_id = 2", "a task changes its owner"),
        ("running", "id = :id", "a task changes its owner"),
        ("succeeded", "summary = 'changed'", "terminal"),
        ("succeeded", "state = 'queued', finished_at = NULL", "terminal"),
        ("succeeded", "run_at = :now", "terminal"),
    ],
)
async def test_a_task_takes_no_step_that_is_not_a_move(tasks: Tasks, state: str, change: str, refused: str) -> None:
    task = await in_state(tasks, state)
    before = await row(tasks, task)
    values = {"now": NOW, "id": uuid4()}
    with pytest.raises(Exception, match=refused):
        await tasks.db.execute(f"UPDATE tasks SET {change} WHERE id = :task", used(change, {**values, "task": task}))
    assert await row(tasks, task) == before


@pytest.mark.parametrize(
    ("columns", "values", "refused"),
    [
        ("state", "'running'", "begins queued"),
        ("state", "'succeeded'", "begins queued"),
        ("state, finished_at", "'queued', :now", "begins queued"),
        ("state, cancel_requested_at", "'queued', :now", "begins queued"),
        ("state, attempt", "'queued', 1", "nothing counted"),
        ("state, errors", "'queued', 1", "nothing counted"),
        ("state, lost", "'queued', 1", "nothing counted"),
        ("state, claim", "'queued', :id", "nobody holds"),
        ("state, worker_id", "'queued', :id", "nobody holds"),
        ("state, lease_until", "'queued', :now", "nobody holds"),
    ],
)
async def test_a_task_begins_in_one_way(tasks: Tasks, columns: str, values: str, refused: str) -> None:
    sql = f"""INSERT INTO tasks (id, user_id, name, workload, version, lane, params, max_attempts, run_at, created_at, {columns})
    VALUES (:task, 1, 'Work', 'work', 1, 'light', '{{}}', 3, :at, :at, {values})"""
    with pytest.raises(Exception, match=refused):
        await tasks.db.execute(sql, used(values, {"now": NOW, "id": uuid4(), "task": uuid4(), "at": NOW}))


@pytest.mark.parametrize(
    "change",
    [
        "seq = seq + 1000",
        "user_id = 2",
        "type = 'task.failed'",
        "at = :now",
        "task_id = :id",
        "task = '{}'",
        'task = \'{"id": "another"}\'',
    ],
)
async def test_an_event_does_not_change(tasks: Tasks, change: str) -> None:
    task = await in_state(tasks, "queued")
    with pytest.raises(Exception, match="an event changes"):
        await tasks.db.execute(
            f"UPDATE events SET {change} WHERE task_id = :task", used(change, {"now": NOW, "id": uuid4(), "task": task})
        )


async def test_a_deletion_empties_the_cards_of_events(tasks: Tasks) -> None:
    task = await in_state(tasks, "succeeded")
    assert await tasks.moves.delete(ADA, task)
    rows = await tasks.db.fetch_all("SELECT task FROM events WHERE task_id = :task", {"task": task})
    assert {row["task"].replace(" ", "") for row in rows} == {f'{{"id":"{task}"}}'}


@pytest.mark.parametrize("floor", [4, -1, 8])
async def test_a_floor_goes_up_to_the_newest_event_at_most(tasks: Tasks, floor: int) -> None:
    await tasks.db.execute("INSERT INTO streams (user_id, seq, floor) VALUES (:user, 7, 5)", {"user": next(PRIORITIES)})
    with pytest.raises(Exception, match="a floor goes back"):
        await tasks.db.execute("UPDATE streams SET floor = :floor WHERE floor = 5", {"floor": floor})
    await tasks.db.execute("UPDATE streams SET floor = 7 WHERE floor = 5")


@pytest.mark.parametrize("change", ["key = 'other'", "body = body", "task_id = :id"])
async def test_a_key_does_not_change(tasks: Tasks, change: str) -> None:
    await tasks.submit(ADA, key=f"key {change}", body=b"body")
    with pytest.raises(Exception, match="an idempotency key changes"):
        await tasks.db.execute(f"UPDATE idempotency SET {change} WHERE user_id = 1", used(change, {"id": uuid4()}))


async def test_a_full_database_in_use_takes_the_guards(database_url: str) -> None:
    await asyncio.to_thread(command.upgrade, _config(database_url), "0001")
    async with old_database(database_url) as tasks:
        await tasks.user(ADA)
        for state in ("queued", "running", "succeeded"):
            await in_state(tasks, state)
        done = asyncio.Event()

        async def use() -> int:
            ended = 0
            while not done.is_set() or ended < 5:
                await tasks.submit(ADA, priority=50)
                ended += len(
                    [event for claim in await tasks.claim(1) if (event := await tasks.end(claim, "succeeded"))]
                )
            return ended

        using = asyncio.create_task(use())
        await upgrade(database_url)
        await upgrade(database_url)
        done.set()
        ended = await using
        assert ended >= 5
        frames = await tasks.log.since(ADA, 0, 10_000)
        assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
        with pytest.raises(Exception, match="attempt goes back or jumps"):
            await tasks.db.execute("UPDATE tasks SET attempt = attempt + 1 WHERE state = 'running'")
        await check(tasks.db)


@contextlib.asynccontextmanager
async def old_database(url: str) -> AsyncIterator[Tasks]:
    """Connected as it is: `task_database` would migrate it."""
    db = open_database(url)
    await db.connect()
    try:
        log = TaskLog(db)
        yield Tasks(db, moves_on(db, lease=10), TaskStore(db, log), log, uuid4())
    finally:
        await db.disconnect()


async def row(tasks: Tasks, task: UUID) -> Mapping[str, Any]:
    found = await tasks.db.fetch_one("SELECT * FROM tasks WHERE id = :task", {"task": task})
    assert found is not None
    return found


def used(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a statement names; the last ones are always named."""
    return {name: value for name, value in values.items() if f":{name}" in sql or name in ("task", "at")}
