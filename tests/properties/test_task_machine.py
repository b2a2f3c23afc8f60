"""Any order of moves, by any number of workers, on both databases: the store keeps the lifecycle, and each user's log has no gap.

The model here is a few lines of plain Python; the store must agree with it after every step.
"""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from app.tasks.model import Claim, Verdict
from app.tasks.states import FINAL_EVENTS, MOVES, State
from tests.contracts.task_databases import Tasks, draft
from tests.properties.machines import Known, check

USERS = (1, 2)
WORKERS = (uuid4(), uuid4(), uuid4())
Answer = TypeVar("Answer")


class TaskMachine(RuleBasedStateMachine):
    """One loop and one database for all runs; tables are emptied between them."""

    loop: asyncio.Runner
    tasks: Tasks

    made = Bundle("made")
    claimed = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[UUID, Known] = {}
        self.run(self._empty())

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return self.loop.run(coroutine)

    async def _empty(self) -> None:
        for table in ("tasks", "events", "streams", "idempotency"):
            await self.tasks.db.execute(f"DELETE FROM {table}")
        for user in USERS:
            await self.tasks.user(user)

    @rule(target=made, users=st.lists(st.sampled_from(USERS), min_size=1, max_size=4), attempts=st.integers(1, 3))
    def submit(self, users: list[int], attempts: int) -> Any:
        drafts = [draft(user, max_attempts=attempts) for user in users]
        events = self.run(self.tasks.moves.submit(drafts))
        assert [event.type if event else None for event in events] == ["task.queued"] * len(drafts)
        self.known.update({one.id: Known(one.user_id) for one in drafts})
        return multiple(*((one.id, attempts) for one in drafts))

    @rule(target=claimed, worker=st.sampled_from(WORKERS), limit=st.integers(1, 4))
    def claim(self, worker: UUID, limit: int) -> Any:
        waiting = sorted(task_id for task_id, one in self.known.items() if one.state is State.QUEUED)
        claims = self.run(self.tasks.claim(limit, worker))
        assert [claim.id for claim in claims] == waiting[:limit], "the oldest first"
        for claim in claims:
            one = self.known[claim.id]
            one.state, one.attempt, one.token, one.worker = State.RUNNING, one.attempt + 1, claim.token, worker
            one.events.append("task.started")
            assert claim.attempt == one.attempt
        return multiple(*claims)

    @rule(
        claim=claimed, verdict=st.sampled_from(["succeeded", "failed", "retry", "cancelled", "released"]), limits=made
    )
    def finish(self, claim: Claim, verdict: Verdict, limits: tuple[UUID, int]) -> None:
        del limits
        task = self.run(self.tasks.store.get(claim.user_id, claim.id))
        event = self.run(self.tasks.end(claim, verdict))
        one = self.known[claim.id]
        if one.state is not State.RUNNING or one.token != claim.token:
            assert event is None, "the claim does not hold any more"
            return
        one.errors += verdict in ("retry", "failed")
        if verdict == "succeeded":
            one.state = State.SUCCEEDED
        elif one.cancelling or verdict == "cancelled":
            one.state = State.CANCELLED
        elif verdict == "released" or (verdict == "retry" and one.errors < task.max_attempts):
            one.state = State.QUEUED
        else:
            one.state = State.FAILED
        one.events.append("task.retrying" if one.state is State.QUEUED else f"task.{one.state}")
        assert event is not None
        assert event.type == one.events[-1]

    @rule(task=made)
    def cancel(self, task: tuple[UUID, int]) -> None:
        one = self.known[task[0]]
        events = self.run(self.tasks.moves.cancel(one.user_id, [task[0]]))
        expected = []
        if one.state is State.QUEUED:
            one.state, expected = State.CANCELLED, ["task.cancelled"]
        elif one.state is State.RUNNING and not one.cancelling:
            one.cancelling, expected = True, ["task.cancelling"]
        one.events += expected
        assert [event.type for event in events] == expected

    @rule(task=made)
    def cancel_of_another(self, task: tuple[UUID, int]) -> None:
        other = 3 - self.known[task[0]].user_id
        assert self.run(self.tasks.moves.cancel(other, [task[0]])) == []

    @rule(claim=consumes(claimed))
    def heartbeat(self, claim: Claim) -> None:
        answer = self.run(self.tasks.moves.heartbeat({claim.id: claim.token}))
        one = self.known[claim.id]
        holds = one.state is State.RUNNING and one.token == claim.token
        assert answer == ({claim.id: one.cancelling} if holds else {})

    @rule(worker=st.sampled_from(WORKERS))
    def reap(self, worker: UUID) -> None:
        """As if every lease of the others had ended."""
        held = [one.token for one in self.known.values() if one.worker == worker and one.token]
        events = self.run(self.tasks.moves.reap(held, ahead=60))
        self.run(self.tasks.db.execute("UPDATE tasks SET run_at = created_at WHERE state = 'queued'"))
        expected = {}
        for task_id, one in self.known.items():
            if one.state is State.RUNNING and one.worker != worker:
                one.lost += 1
                one.state = State.CANCELLED if one.cancelling else State.FAILED if one.lost >= 3 else State.QUEUED
                one.events.append("task.retrying" if one.state is State.QUEUED else f"task.{one.state}")
                expected[task_id] = one.events[-1]
        assert {event.task_id: event.type for event in events} == expected

    @invariant()
    def the_log_tells_the_same(self) -> None:
        told: dict[UUID, list[str]] = {}
        for user in USERS:
            frames = self.run(self.tasks.log.since(user, 0, 10_000))
            assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1)), "no gap"
            events = [orjson.loads(frame.text) for frame in frames]
            assert [event["at"] for event in events] == sorted(event["at"] for event in events), "in order"
            for event in events:
                told.setdefault(UUID(event["task"]["id"]), []).append(event["type"])
        assert told == {task_id: one.events for task_id, one in self.known.items()}
        assert all(sum(kind in FINAL_EVENTS for kind in kinds) <= 1 for kinds in told.values()), "one end"

    @invariant()
    def the_rows_agree(self) -> None:
        rows = self.run(self.tasks.db.fetch_all("SELECT id, state, attempt FROM tasks"))
        assert {UUID(str(row["id"])): (row["state"], row["attempt"]) for row in rows} == {
            task_id: (one.state, one.attempt) for task_id, one in self.known.items()
        }


def test_any_order_of_moves_on_sqlite(tmp_path: Path) -> None:
    check(TaskMachine, f"sqlite:///{tmp_path / 'taskline.db'}", ["tasks"], examples=40, steps=25)


def test_any_order_of_moves_on_postgresql(fresh_database_url: str) -> None:
    check(TaskMachine, fresh_database_url, ["tasks"], examples=40, steps=25)


@pytest.mark.parametrize("state", list(State))
def test_terminal_states_are_those_without_moves(state: State) -> None:
    assert state.terminal == (not MOVES[state]) == (state not in (State.QUEUED, State.RUNNING))
