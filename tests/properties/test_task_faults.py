"""Any order of moves with faults between and inside them, on both databases: answers are lost, connections are killed, workers die, clocks jump, two do the
same at once. Whatever was in doubt has happened or has not, as a whole; the log tells of it once.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID, uuid4

import orjson
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from app.errors import Unavailable
from app.tasks.model import Draft, Ending, Event, Verdict
from app.tasks.pruning import Pruning
from app.tasks.retry import MOST_LOST
from app.tasks.states import FINAL_EVENTS, State
from tests.contracts.task_databases import ABLE, Tasks, draft
from tests.properties import machines
from tests.properties.machines import check

USERS = (1, 2)
WORKERS = (uuid4(), uuid4())
KEYS = ("a", "b")
Answer = TypeVar("Answer")
# What becomes of a move: all is well; its answer is lost; it never arrives; its connection is killed while it waits for a lock.
fates = st.sampled_from(["well", "well", "well", "unheard", "unsent", "killed"])
verdicts: st.SearchStrategy[Verdict] = st.sampled_from(
    ["succeeded", "failed", "retry", "crashed", "cancelled", "released"]
)
picks = st.integers(0, 7)


@dataclass
class Known(machines.Known):
    """`past` claims are those of workers that were frozen, or never heard that they had ended. `most`: attempts."""

    most: int = field(kw_only=True)
    expired: bool = False
    past: list[Ending] = field(default_factory=list)
    deleted: bool = False

    def end(self, state: State) -> None:
        """Move out of running."""
        self.state, self.token, self.worker, self.expired = state, None, None, False
        self.events.append("task.retrying" if state is State.QUEUED else f"task.{state}")

    def finish(self, verdict: Verdict) -> None:
        """What an attempt's end does."""
        again = {
            "released": True,
            "retry": self.errors + 1 < self.most,
            "crashed": self.errors + self.lost + 1 < self.most,
        }.get(verdict, False)
        self.errors += verdict in ("retry", "crashed", "failed")
        if verdict == "succeeded":
            self.end(State.SUCCEEDED)
        elif self.cancelling or verdict == "cancelled":
            self.end(State.CANCELLED)
        else:
            self.end(State.QUEUED if again else State.FAILED)

    def reap(self) -> None:
        """What the loss of a worker does."""
        self.lost += 1
        self.end(State.CANCELLED if self.cancelling else State.FAILED if self.lost >= MOST_LOST else State.QUEUED)

    def cancel(self) -> bool:
        """Whether a cancel changes anything."""
        if self.state is State.QUEUED:
            self.cancelling = True
            self.end(State.CANCELLED)
            return True
        asked = self.state is State.RUNNING and not self.cancelling
        if asked:
            self.cancelling = True
            self.events.append("task.cancelling")
        return asked


class FaultMachine(RuleBasedStateMachine):
    """`tasks` has one connection that is killed; `others` is another process."""

    loop: asyncio.Runner
    tasks: Tasks
    others: Tasks

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[UUID, Known] = {}
        self.keys: dict[tuple[int, str], UUID] = {}
        self.floors = dict.fromkeys(USERS, 0)
        self.loop.run(self._empty())

    async def _empty(self) -> None:
        for table in ("tasks", "events", "streams", "idempotency"):
            await self.tasks.db.execute(f"DELETE FROM {table}")
        for user in USERS:
            await self.tasks.user(user)

    def move(self, fate: str, call: Callable[[], Awaitable[Answer]], change: Callable[[], None]) -> Answer | None:
        """Make a move and change the model with it, where it has happened; the answer, where one is heard."""
        return self.loop.run(self._move(fate, call, change))

    async def _move(
        self, fate: str, call: Callable[[], Awaitable[Answer]], change: Callable[[], None]
    ) -> Answer | None:
        if fate == "unsent":
            return None
        before = await self._heads()
        answer: Answer | None = None
        if fate == "killed":
            with contextlib.suppress(Unavailable, asyncio.CancelledError):
                answer = await self._kill(call)
        else:
            answer = await call()
        if answer is not None or await self._heads() != before:
            change()
        return None if fate == "unheard" else answer

    async def _heads(self) -> list[int]:
        rows = await self.others.db.fetch_all("SELECT seq FROM streams ORDER BY user_id")
        return [row["seq"] for row in rows]

    async def _kill(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Rows have changed, their events are yet to be written: there it ends. A move that writes no event gets through."""
        if self.tasks.db.dialect == "sqlite":
            return await self._interrupt(call)
        pid = await self.tasks.db.fetch_val("SELECT pg_backend_pid()")
        async with self.others.db.transaction():
            await self.others.db.fetch_all("SELECT 1 FROM streams ORDER BY user_id FOR UPDATE")
            making = asyncio.ensure_future(call())
            waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid"
            # PostgreSQL tells nobody that somebody waits.
            while not making.done() and not await self.others.db.fetch_val(waits, {"pid": pid}):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            if not making.done():
                await self.others.db.fetch_val("SELECT pg_terminate_backend(:pid)", {"pid": pid})
        return await making

    async def _interrupt(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        hot, reached = self.tasks.db.hot, asyncio.Event()

        async def stuck(sql: str, *args: Any) -> Sequence[Any]:
            if "UPDATE streams" in sql:
                reached.set()
                await asyncio.Event().wait()
            return await hot(sql, *args)

        with patch.object(self.tasks.db, "hot", stuck):
            making, waiting = asyncio.ensure_future(call()), asyncio.ensure_future(reached.wait())
            await asyncio.wait({making, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not making.done():
                making.cancel()
            return await making

    def pick(self, at: int, *, where: Callable[[Known], bool] = lambda _: True) -> tuple[UUID, Known] | None:
        some = [(task_id, one) for task_id, one in sorted(self.known.items()) if where(one)]
        return some[at % len(some)] if some else None

    def some(self, where: Callable[[Known], bool]) -> bool:
        return any(where(one) for one in self.known.values())

    @initialize(most=st.integers(1, 3))
    def begin(self, most: int) -> None:
        """Work is under way, and one claim is of the past."""
        for user in USERS:
            self.submit(user, 2, most, "well")
        self.claim(WORKERS[0], 1, "well")
        self.the_clock_jumps(WORKERS[0])
        self.reap(None, "well")
        self.claim(WORKERS[0], 2, "well")
        self.claim(WORKERS[1], 1, "well")

    @rule(user=st.sampled_from(USERS), number=st.integers(1, 3), most=st.integers(1, 3), fate=fates)
    def submit(self, user: int, number: int, most: int, fate: str) -> None:
        drafts = [draft(user, max_attempts=most) for _ in range(number)]
        made = {one.id: Known(user, most=most) for one in drafts}
        self.move(fate, lambda: self.tasks.moves.submit(drafts), lambda: self.known.update(made))

    @rule(user=st.sampled_from(USERS), key=st.sampled_from(KEYS), fate=fates)
    def submit_under_a_key(self, user: int, key: str, fate: str) -> None:
        """The caller repeats until it hears; there is one task."""
        for again in (fate, "well"):
            one = draft(user, key=key, body=b"body")
            if (user, key) in self.keys:
                assert self.loop.run(self.tasks.moves.submit([one])) == [None]
            else:
                self.move(again, lambda one=one: self.tasks.moves.submit([one]), lambda one=one: self._made(one))  # type: ignore[misc]
        assert self.loop.run(self.tasks.store.repeated(user, key)) == (self.keys[user, key], b"body")

    def _made(self, one: Draft) -> None:
        self.known[one.id] = Known(one.user_id, most=one.max_attempts)
        self.keys[one.user_id, one.key or ""] = one.id

    @precondition(lambda self: self.some(lambda one: one.state is State.QUEUED))
    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 4), fate=fates)
    def claim(self, worker: UUID, limit: int, fate: str) -> None:
        token = uuid4()
        waiting = sorted(task_id for task_id, one in self.known.items() if one.state is State.QUEUED)[:limit]

        def change() -> None:
            for task_id in waiting:
                one = self.known[task_id]
                one.state, one.attempt, one.token, one.worker = State.RUNNING, one.attempt + 1, token, worker
                one.past.append(Ending(id=task_id, attempt=one.attempt, token=token, verdict="succeeded"))
                one.events.append("task.started")

        claims = self.move(fate, lambda: self.tasks.moves.claim(worker, "light", ABLE, limit, token=token), change)
        if claims is not None:
            assert [claim.id for claim in claims] == waiting, "the oldest first"
        under = self.loop.run(self.tasks.moves.under(token))
        assert sorted(under) == sorted(
            (task_id, one.attempt) for task_id, one in self.known.items() if one.token == token
        )

    @rule(at=picks, old=picks, verdict=verdicts, fate=fates)
    def finish(self, at: int, old: int, verdict: Verdict, fate: str) -> None:
        """By the worker that holds the task, or by one that only thinks so; repeated until an answer comes."""
        if (picked := self.pick(at, where=lambda one: bool(one.past))) is None:
            return
        task_id, one = picked
        past = one.past[old % len(one.past)]
        ending = Ending(id=task_id, attempt=past.attempt, token=past.token, verdict=verdict)
        for again in (fate, "well"):
            holds = self.known[task_id].token == ending.token
            change = (lambda: self.known[task_id].finish(verdict)) if holds else (lambda: None)
            answer = self.move(again if holds else "well", lambda: self.tasks.moves.finish([ending]), change)
            if answer is not None:
                assert [event.type if event else None for event in answer] == [
                    self.known[task_id].events[-1] if holds else None
                ]
        self._due()

    def _due(self) -> None:
        self.loop.run(
            self.tasks.db.execute("UPDATE tasks SET run_at = created_at WHERE state = 'queued' AND run_at > created_at")
        )

    @rule(at=picks, fate=fates)
    def cancel(self, at: int, fate: str) -> None:
        if (picked := self.pick(at)) is None:
            return
        task_id, one = picked
        changes = deepcopy(one).cancel()
        self.move(
            fate if changes else "well",
            lambda: self.tasks.moves.cancel(one.user_id, [task_id]),
            lambda: None if not changes else self._cancelled(task_id),
        )

    def _cancelled(self, task_id: UUID) -> None:
        self.known[task_id].cancel()

    @precondition(lambda self: self.some(lambda one: one.state is State.RUNNING))
    @rule(at=picks, verdict=verdicts)
    def cancel_races_finish(self, at: int, verdict: Verdict) -> None:
        if (picked := self.pick(at, where=lambda one: one.state is State.RUNNING)) is None:
            return
        task_id, one = picked
        assert one.token is not None
        ending = Ending(id=task_id, attempt=one.attempt, token=one.token, verdict=verdict)

        async def race() -> tuple[Sequence[Event], Sequence[Event | None]]:
            return await asyncio.gather(
                self.others.moves.cancel(one.user_id, [task_id]), self.tasks.moves.finish([ending])
            )

        cancelled, finished = self.loop.run(race())
        assert finished[0] is not None
        steps = {event.seq: event.type for event in (*cancelled, finished[0])}
        if cancelled and cancelled[0].seq < finished[0].seq:
            one.cancel()
            one.finish(verdict)
        else:
            one.finish(verdict)
            assert one.cancel() == bool(cancelled)
        assert [steps[seq] for seq in sorted(steps)] == one.events[-len(steps) :]
        self._due()

    @precondition(lambda self: self.some(lambda one: one.state is State.RUNNING and not one.expired))
    @rule(worker=st.sampled_from(WORKERS))
    def the_clock_jumps(self, worker: UUID) -> None:
        """The leases of a worker that has died, or stands still, end."""
        past = {"past": datetime.now(UTC) - timedelta(seconds=1), "worker": worker}
        sql = "UPDATE tasks SET lease_until = :past WHERE worker_id = :worker AND state = 'running'"
        self.loop.run(self.tasks.db.execute(sql, past))
        for one in self.known.values():
            one.expired = one.expired or (one.worker == worker)

    @rule(worker=st.sampled_from(WORKERS))
    def heartbeat(self, worker: UUID) -> None:
        asked = {task_id: past.token for task_id, one in self.known.items() for past in one.past[-1:]}
        if not asked:
            return
        answer = self.loop.run(self.tasks.moves.heartbeat(asked))
        holding = {task_id: one for task_id, one in self.known.items() if asked.get(task_id) == one.token is not None}
        assert answer == {task_id: one.cancelling for task_id, one in holding.items()}
        for one in holding.values():
            one.expired = False

    @precondition(lambda self: self.some(lambda one: one.expired))
    @rule(worker=st.sampled_from((*WORKERS, None)), fate=fates)
    def reap(self, worker: UUID | None, fate: str) -> None:
        """By one of the workers, which holds what it has claimed, or by a new one."""
        held = [one.token for one in self.known.values() if one.token and one.worker == worker]
        expected = [task_id for task_id, one in self.known.items() if one.expired and one.worker != worker]

        def change() -> None:
            for task_id in expected:
                self.known[task_id].reap()

        events = self.move(fate if expected else "well", lambda: self.tasks.moves.reap(held), change)
        if events is not None:
            assert {event.task_id: event.type for event in events} == {
                task_id: self.known[task_id].events[-1] for task_id in expected
            }
        self._due()

    @precondition(lambda self: self.some(lambda one: one.state is State.RUNNING))
    @rule(at=picks, fate=fates, cancelled=st.booleans())
    def a_worker_is_lost(self, at: int, fate: str, cancelled: bool) -> None:
        """It does not take itself for dead; another does."""
        picked = self.pick(at, where=lambda one: one.state is State.RUNNING)
        assert picked is not None
        task_id, one = picked
        assert one.worker is not None
        if cancelled:
            self.loop.run(self.tasks.moves.cancel(one.user_id, [task_id]))
            self._cancelled(task_id)
        worker = one.worker
        self.the_clock_jumps(worker)
        self.reap(worker, fate)
        self.reap(None, fate)

    @precondition(lambda self: self.some(lambda one: one.expired))
    @rule()
    def two_reapers(self) -> None:
        expected = {task_id for task_id, one in self.known.items() if one.expired}

        async def race() -> tuple[Sequence[Event], Sequence[Event]]:
            return await asyncio.gather(self.tasks.moves.reap([]), self.others.moves.reap([]))

        taken = [event.task_id for events in self.loop.run(race()) for event in events]
        assert sorted(taken) == sorted(expected), "each once"
        for task_id in expected:
            self.known[task_id].reap()
        self._due()

    @precondition(lambda self: self.some(lambda one: one.state.terminal and not one.deleted))
    @rule(at=picks, fate=fates)
    def delete(self, at: int, fate: str) -> None:
        if (picked := self.pick(at, where=lambda one: one.state.terminal and not one.deleted)) is None:
            return
        task_id, one = picked

        def change() -> None:
            self.known[task_id].deleted = True
            self.known[task_id].events.append("task.deleted")

        self.move(fate, lambda: self.tasks.moves.delete(one.user_id, task_id), change)

    @rule(user=st.sampled_from(USERS), most=st.integers(1, 5))
    def prune(self, user: int, most: int) -> None:
        """What is older than a day goes; nothing of a test is, so that the oldest are made so."""
        pruning = Pruning(self.tasks.db, kept=timedelta(days=1))
        head = self.loop.run(self.tasks.db.fetch_val("SELECT seq FROM streams WHERE user_id = :user", {"user": user}))
        self.floors[user] = min(self.floors[user] + most, head)
        self.loop.run(pruning._forget(user, self.floors[user]))

    @invariant()
    def the_log_tells_the_same(self) -> None:
        told: dict[UUID, list[str]] = {}
        for user in USERS:
            floor = self.floors[user]
            frames = self.loop.run(self.others.log.since(user, floor, 10_000))
            assert [frame.seq for frame in frames] == list(range(floor + 1, floor + len(frames) + 1)), "no gap"
            for frame in frames:
                event = orjson.loads(frame.text)
                told.setdefault(UUID(event["task"]["id"]), []).append(event["type"])
        for task_id, one in self.known.items():
            kept = told.pop(task_id, [])
            assert one.events[len(one.events) - len(kept) :] == kept, "a suffix of what happened"
            assert self.floors[one.user_id] or kept == one.events
            assert sum(kind in FINAL_EVENTS for kind in one.events) == one.state.terminal, "one end"
        assert told == {}

    @invariant()
    def the_rows_agree(self) -> None:
        rows = self.loop.run(self.others.db.fetch_all("SELECT id, state, attempt, errors, lost, claim FROM tasks"))
        assert {UUID(str(row["id"])): (row["state"], row["attempt"], row["errors"], row["lost"]) for row in rows} == {
            task_id: (one.state, one.attempt, one.errors, one.lost)
            for task_id, one in self.known.items()
            if not one.deleted
        }


def _check(url: str) -> None:
    # Not made smaller on a failure: that takes minutes, and connections do not behave the same each time.
    check(FaultMachine, url, ("tasks", "others"), examples=30, steps=40, phases=[Phase.generate])


def test_any_fault_in_any_order_on_sqlite(tmp_path: Path) -> None:
    _check(f"sqlite:///{tmp_path / 'taskline.db'}")


def test_any_fault_in_any_order_on_postgresql(fresh_database_url: str) -> None:
    _check(fresh_database_url)
