"""Moves that meet: at one task, and at the streams of users that many batches share."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import orjson
import pytest

from app.tasks.model import Claim, Draft, Verdict
from app.tasks.states import FINAL_EVENTS, State
from tests.contracts.task_databases import Tasks, draft, ending, task_database

USERS: Final = range(1, 21)
RACES: Final = 10_000
AT_ONCE: Final = 500  # races between two looks at the log
VERDICTS: Final[tuple[Verdict, ...]] = ("succeeded", "failed", "retry", "released", "cancelled")


@dataclass(frozen=True, slots=True)
class Racers:
    """A worker and a web process; on SQLite they are one."""

    worker: Tasks
    web: Tasks


@pytest.fixture
async def racers(database_url: str) -> AsyncIterator[Racers]:
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(task_database(database_url))
        web = worker
        if worker.db.dialect == "postgresql":
            web = await stack.enter_async_context(task_database(database_url))
        for user in USERS:
            await worker.user(user)
        yield Racers(worker, web)


async def test_24_a_cancel_and_an_end_leave_one_terminal_state(racers: Racers) -> None:
    chance = random.Random(24)
    orders: Counter[str] = Counter()
    for _ in range(RACES // AT_ONCE):
        drafts = [draft(user, max_attempts=2) for user in USERS for _ in range(AT_ONCE // len(USERS))]
        await racers.worker.moves.submit(drafts)
        claims = await racers.worker.claim(AT_ONCE)
        assert len(claims) == AT_ONCE
        chance.shuffle(claims)
        verdicts: dict[UUID, Verdict] = {claim.id: chance.choice(VERDICTS) for claim in claims}
        await _at_once(
            chance,
            [_cancels(racers.web, user, drafts) for user in USERS],
            [_ends(racers.worker, some, verdicts) for some in _pieces(claims, AT_ONCE // len(USERS))],
        )
        orders += await _judge(racers.web, verdicts)
    assert sum(orders.values()) == RACES
    assert min(orders["cancel first"], orders["end first"]) > RACES / 100, f"no races: {orders}"


def _cancels(tasks: Tasks, user: int, drafts: Sequence[Draft]) -> Callable[[], Awaitable[object]]:
    return lambda: tasks.moves.cancel(user, [one.id for one in drafts if one.user_id == user])


def _ends(tasks: Tasks, claims: Sequence[Claim], verdicts: dict[UUID, Verdict]) -> Callable[[], Awaitable[object]]:
    return lambda: tasks.moves.finish([ending(claim, verdicts[claim.id]) for claim in claims])


def _pieces(claims: Sequence[Claim], size: int) -> list[Sequence[Claim]]:
    return [claims[at : at + size] for at in range(0, len(claims), size)]


async def _at_once(chance: random.Random, *sides: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Everybody starts behind one barrier."""
    racing = [call for side in sides for call in side]
    chance.shuffle(racing)
    barrier = asyncio.Barrier(len(racing))

    async def run(call: Callable[[], Awaitable[object]]) -> None:
        await barrier.wait()
        await call()

    await asyncio.gather(*(run(call) for call in racing))


async def _judge(tasks: Tasks, verdicts: dict[UUID, Verdict]) -> Counter[str]:
    """Look at each task's row and at all that was told of it; empty the tables."""
    told: dict[UUID, list[str]] = {task_id: [] for task_id in verdicts}
    for user in USERS:
        frames = await tasks.log.since(user, 0, 100_000)
        assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
        for frame in frames:
            event = orjson.loads(frame.text)
            told[UUID(event["task"]["id"])].append(event["type"])
    rows = await tasks.db.fetch_all("SELECT id, state FROM tasks")
    orders: Counter[str] = Counter()
    for row in rows:
        events, verdict = told[UUID(str(row["id"]))], verdicts[UUID(str(row["id"]))]
        assert [event for event in events if event in FINAL_EVENTS] == [f"task.{row['state']}"] == events[-1:]
        cancelled_first = "task.cancelling" in events
        as_it_ended = {"succeeded": State.SUCCEEDED, "failed": State.CANCELLED if cancelled_first else State.FAILED}
        assert row["state"] == as_it_ended.get(verdict, State.CANCELLED), (verdict, events)
        orders["cancel first" if cancelled_first else "end first"] += 1
    for table in ("tasks", "events"):
        await tasks.db.execute(f"DELETE FROM {table}")
    await tasks.db.execute("DELETE FROM streams")
    for user in USERS:
        await tasks.user(user)
    return orders


async def test_32_shuffled_batches_do_not_deadlock_and_beat_singles(
    racers: Racers, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="app.db.postgresql"):
        batches = await _mixed(racers, size=20)
        singles = await _mixed(racers, size=1)
    assert "tried again" not in caplog.text, "a deadlock"
    assert batches < singles, f"{batches:.2f} s in batches, {singles:.2f} s one by one"
    for user in USERS:
        frames = await racers.web.log.since(user, 0, 100_000)
        assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
        ends = Counter(
            event["task"]["id"]
            for event in map(orjson.loads, (one.text for one in frames))
            if event["type"] in FINAL_EVENTS
        )
        assert set(ends.values()) == {1}


async def _mixed(racers: Racers, *, size: int, number: int = 320, hands: int = 8) -> float:
    """Accept, claim, keep alive, end and cancel so many tasks of shared users, `size` in a move; in seconds."""
    chance = random.Random(32)
    drafts = [draft(chance.choice(USERS)) for _ in range(number)]
    waiting = [drafts[at : at + size] for at in range(0, number, size)]
    began = time.perf_counter()

    async def hand() -> None:
        while waiting:
            mine = waiting.pop()
            chance.shuffle(mine)
            await racers.web.moves.submit(mine)
            claims = await racers.worker.claim(size, uuid4())
            chance.shuffle(claims)
            await racers.worker.moves.heartbeat({claim.id: claim.token for claim in claims})
            cancelled = mine[::4]
            chance.shuffle(cancelled)
            await asyncio.gather(
                racers.worker.moves.finish([ending(claim, "succeeded") for claim in claims]),
                *(
                    racers.web.moves.cancel(user, [one.id for one in cancelled if one.user_id == user])
                    for user in {one.user_id for one in cancelled}
                ),
                racers.worker.moves.reap([]),
            )

    await asyncio.gather(*(hand() for _ in range(hands)))
    return time.perf_counter() - began


@pytest.mark.parametrize("turns", range(6))
async def test_a_move_that_is_cancelled_at_its_start_leaves_no_transaction(racers: Racers, turns: int) -> None:
    making = asyncio.ensure_future(racers.web.moves.submit([draft(1)]))
    for _ in range(turns):
        await asyncio.sleep(0)
    if making.cancel():  # else it was done by then
        with pytest.raises(asyncio.CancelledError):
            await making
    await racers.web.submit(1)
    frames = await racers.web.log.since(1, 0, 10)
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
