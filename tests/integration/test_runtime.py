"""The runtime on a real database with real work: cancel, drain, lost claims, fencing, progress."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.artifacts.room import Room
from app.catalogue import Catalogue, Worker
from app.db import open_database
from app.errors import Unavailable
from app.events.model import Frame
from app.queues import open_queue
from app.resources import moves_on
from app.tasks.model import Task
from app.tasks.outbox import Outbox
from app.tasks.states import State
from tests.contracts.task_databases import Tasks, task_database
from workers.describe import BUILT_IN, describe
from workers.execution import Execution
from workers.heart import Contact, Rhythm
from workers.lane import Lane
from workers.running import Running
from workers.runtime import MOST_FAULTS, Runtime

ADA = 1
SAMPLES = "tests.integration.samples"


class Followers:
    """Hears what the outbox tells, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self._more = asyncio.Event()

    async def publish(self, frames: Sequence[Frame]) -> None:
        self.heard += frames
        self._more.set()

    def types(self) -> list[str]:
        return [orjson.loads(frame.text)["type"] for frame in self.heard if frame.seq is not None]

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not happened():
                self._more.clear()
                await self._more.wait()


@dataclass
class Bench:
    """A worker's runtime in this process, and what it works on."""

    tasks: Tasks
    runtime: Runtime
    lane: Lane
    followers: Followers
    running: asyncio.Task[None]

    async def start(self, workload: str, **params: object) -> UUID:
        """Start a task, and wait until it runs."""
        made = await self.tasks.submit(ADA, workload=workload, params=orjson.dumps(params).decode())
        self.lane.ring()
        await self.followers.until(lambda: "task.started" in self.followers.types())
        return made.id

    async def countdown(self, seconds: float) -> UUID:
        """Start one, and wait until it runs."""
        return await self.start("countdown", seconds=seconds)

    async def counts(self, task_id: UUID) -> tuple[str, int, int, int]:
        """State, attempts, errors and lost workers of a task."""
        row = await self.tasks.db.fetch_one(
            "SELECT state, attempt, errors, lost FROM tasks WHERE id = :id", {"id": task_id}
        )
        assert row is not None
        return row["state"], row["attempt"], row["errors"], row["lost"]

    async def idle(self) -> None:
        """Until nothing runs."""
        done, still = await asyncio.wait(self.runtime._attempts, timeout=15)
        assert done
        assert not still

    async def stop(self, within: float) -> None:
        self.lane.close()
        await self.running
        await self.runtime.drain(within)


@pytest.fixture
async def bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with task_database(database_url) as tasks:
        await tasks.user(ADA)
        described = await describe([BUILT_IN, SAMPLES])
        able = {one.name: one.version for one in described.workloads.values() if one.lane == "light"}
        execution = Execution(described)
        artifacts = ArtifactStore((tmp_path / "files").as_uri())
        followers, queue = Followers(), open_queue("memory://", deployment="test")
        outbox = Outbox(followers, queue)
        lane = Lane("light", 4, able)
        now = datetime.now(UTC)
        worker = Worker(
            id=uuid4(),
            host="here",
            pid=os.getpid(),
            version="1",
            started_at=now,
            last_seen_at=now,
            workloads=able,
            slots={"light": 4},
        )

        @contextlib.asynccontextmanager
        async def contact() -> AsyncIterator[Contact]:
            db = open_database(database_url, pool=2)
            await db.connect()
            try:
                yield Contact(moves_on(db, lease=30), Catalogue(db, alive=30))
            finally:
                await db.disconnect()

        runtime = Runtime(
            worker=worker,
            lanes=[lane],
            moves=tasks.moves,
            outbox=outbox,
            execution=execution,
            files=Files(tasks.db, artifacts, Room(tasks.db, most=100_000), most=1000, kept=timedelta(days=30)),
            artifacts=artifacts,
            scratch=tmp_path,
            rhythm=Rhythm(every=0.1, again=0.05, fence=0.5),
            poll=5,
            contact=contact,
        )
        made = Bench(tasks, runtime, lane, followers, asyncio.create_task(runtime.run()))
        try:
            yield made
        finally:
            if not made.running.done():
                await made.stop(0)
            await execution.close()


async def test_progress_arrives_and_ends_before_the_end(bench: Bench) -> None:
    task_id = await bench.countdown(2)
    await bench.followers.until(lambda: "task.succeeded" in bench.followers.types())
    told = [orjson.loads(frame.text) for frame in bench.followers.heard]
    progress = [one["fraction"] for one in told if one["type"] == "task.progress"]
    assert progress == sorted(progress)
    assert len(progress) >= 1
    assert told[-1]["type"] == "task.succeeded"
    assert (await bench.tasks.store.get(ADA, task_id)).summary


async def test_a_cancel_that_was_asked_for_ends_the_work(bench: Bench) -> None:
    task_id = await bench.countdown(600)
    await bench.tasks.moves.cancel(ADA, [task_id])
    bench.runtime.heed_cancel(task_id)
    await bench.followers.until(lambda: "task.cancelled" in bench.followers.types())
    assert (await bench.tasks.store.get(ADA, task_id)).state is State.CANCELLED


async def test_drain_hands_back_what_does_not_end_in_time(bench: Bench) -> None:
    task_id = await bench.countdown(600)
    await bench.stop(0.1)
    task = await bench.tasks.store.get(ADA, task_id)
    assert (task.state, task.attempt) == (State.QUEUED, 1)
    assert task.run_at <= datetime.now(UTC), "another worker takes it at once"
    assert bench.lane.free == bench.lane.slots


async def test_drain_ends_without_the_database_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = await bench.countdown(600)

    async def gone(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr("workers.runtime.HAND_BACK_WITHIN", 0.2)
    monkeypatch.setattr(bench.runtime._endings, "_finish", gone)
    async with asyncio.timeout(10):
        await bench.stop(0)
    assert (await bench.tasks.store.get(ADA, task_id)).state is State.RUNNING, "its lease gives it to another worker"
    assert bench.lane.free == bench.lane.slots


async def test_drain_lets_end_what_does(bench: Bench) -> None:
    task_id = await bench.countdown(0.3)
    await bench.stop(10)
    assert (await bench.tasks.store.get(ADA, task_id)).state is State.SUCCEEDED


async def test_a_worker_that_lost_its_claim_stops_and_writes_nothing(bench: Bench) -> None:
    task_id = await bench.countdown(600)
    zombies = set(bench.runtime._attempts)
    (event,) = await bench.tasks.moves.reap([], ahead=60)
    assert event.type == "task.retrying"
    _, still = await asyncio.wait(zombies, timeout=15)
    assert not still
    task = await bench.tasks.store.get(ADA, task_id)
    assert task.state in (State.QUEUED, State.RUNNING)
    assert set(bench.followers.types()) == {"task.started"}, (
        "nobody was told anything but of its starts, here once more perhaps"
    )


async def test_a_task_that_comes_back_before_its_loss_was_heard_of_runs_here_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await bench.countdown(600)
    (attempt,) = bench.runtime._attempts
    moves = type(bench.tasks.moves)
    heartbeat = moves.heartbeat

    async def deaf(self: Any, tokens: Any) -> Any:
        return dict.fromkeys(tokens, False)

    monkeypatch.setattr(moves, "heartbeat", deaf)
    assert len(await bench.tasks.moves.reap([], ahead=60)) == 1
    await bench.tasks.db.execute("UPDATE tasks SET run_at = created_at WHERE state = 'queued'")
    bench.lane.ring()
    await bench.followers.until(lambda: bench.followers.types().count("task.started") == 2)
    await asyncio.wait_for(attempt, 5)
    monkeypatch.setattr(moves, "heartbeat", heartbeat)
    assert await bench.counts(task_id) == ("running", 2, 0, 1)


async def test_without_the_database_all_work_is_ended_and_handed_back_once_it_answers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await bench.countdown(600)
    moves = type(bench.tasks.moves)
    tried = asyncio.Event()

    async def gone(*_: object, **__: object) -> Any:
        raise Unavailable

    async def gone_too(*_: object) -> Any:
        tried.set()
        raise Unavailable

    with monkeypatch.context() as away:
        away.setattr(moves, "heartbeat", gone)
        away.setattr(moves, "claim", gone)
        away.setattr(bench.runtime._endings._finish, "_flush", gone_too)
        async with asyncio.timeout(10):
            await tried.wait()
        assert await bench.counts(task_id) == ("running", 1, 0, 0)
    await bench.followers.until(lambda: bench.followers.types().count("task.started") == 2)
    assert bench.followers.types() == ["task.started", "task.retrying", "task.started"]
    assert await bench.counts(task_id) == ("running", 2, 0, 0), "nobody died, nothing failed"


async def test_a_thread_that_does_not_end_is_not_handed_back_before_it_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task_id = await bench.start("stubborn", until=str(tmp_path / "end"))
    (running,) = bench.runtime._running.values()
    fenced, beaten = asyncio.Event(), threading.Event()
    beat, hand_back = bench.runtime._heart._beat, bench.runtime._hand_all_back

    async def gone(*_: object) -> Any:
        raise Unavailable

    async def beats(*arguments: Any) -> None:
        await beat(*arguments)
        beaten.set()

    def fence() -> None:
        hand_back()
        fenced.set()

    monkeypatch.setattr(bench.runtime, "_hand_all_back", fence)
    monkeypatch.setattr(bench.runtime._heart, "_beat", gone)
    async with asyncio.timeout(10):
        await fenced.wait()
    assert not bench.runtime._heart.sure(task_id)
    monkeypatch.setattr(bench.runtime._heart, "_beat", beats)
    assert await asyncio.to_thread(beaten.wait, 10)
    assert bench.runtime._heart.sure(task_id), "the lease is kept up meanwhile"
    assert running.stop.reason == "withdraw"
    assert await bench.counts(task_id) == ("running", 1, 0, 0), "nobody else may start it while its thread goes on"
    (tmp_path / "end").touch()
    await bench.followers.until(lambda: "task.retrying" in bench.followers.types())


async def test_a_beat_that_hangs_is_followed_by_one_over_a_new_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await bench.countdown(600)
    moves = type(bench.tasks.moves)
    heartbeat, hung, again = moves.heartbeat, threading.Event(), threading.Event()

    async def hangs(*arguments: Any) -> Any:
        if not hung.is_set():
            hung.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            await asyncio.sleep(0.3)  # as giving back a connection to nowhere does
        again.set()
        return await heartbeat(*arguments)

    monkeypatch.setattr(moves, "heartbeat", hangs)
    assert await asyncio.to_thread(again.wait, 0.4)
    assert await bench.counts(task_id) == ("running", 1, 0, 0)


async def test_a_claim_whose_answer_was_lost_is_handed_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = type(bench.tasks.moves)
    claim = moves.claim

    async def cut(*arguments: Any, **named: Any) -> Any:
        if await claim(*arguments, **named):
            monkeypatch.setattr(moves, "claim", claim)
            raise Unavailable
        return ()

    monkeypatch.setattr(moves, "claim", cut)
    task_id = await bench.countdown(0)
    await bench.followers.until(lambda: "task.succeeded" in bench.followers.types())
    assert await bench.counts(task_id) == ("succeeded", 2, 0, 0)


async def test_a_claim_that_was_answered_late_is_handed_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = type(bench.tasks.moves)
    claim = moves.claim
    called = asyncio.Event()

    async def slow(*arguments: Any, **named: Any) -> Any:
        called.set()
        if claims := await claim(*arguments, **named):
            monkeypatch.setattr(moves, "claim", claim)
            await asyncio.sleep(0.3)
        return claims

    monkeypatch.setattr(moves, "claim", slow)
    bench.lane.ring()
    await called.wait()  # a claim that was under way before has ended
    task_id = await bench.countdown(0)
    await bench.followers.until(lambda: "task.succeeded" in bench.followers.types())
    assert await bench.counts(task_id) == ("succeeded", 2, 0, 0)


@pytest.mark.parametrize(("how", "hint"), [("os._exit", "ends its process"), ("kill", "memory")])
async def test_what_lost_a_worker_runs_apart_and_fails_as_lost(bench: Bench, how: str, hint: str) -> None:
    params = orjson.dumps({"how": how}).decode()
    far = datetime.now(UTC) + timedelta(days=1)  # this worker is not to run it before it has lost another
    made = await bench.tasks.submit(ADA, workload="dies_on_loop", params=params, run_at=far)
    await bench.tasks.db.execute(
        "UPDATE tasks SET state = 'running', attempt = 1, claim = :any, worker_id = :any, lease_until = created_at",
        {"any": uuid4()},
    )
    assert len(await bench.tasks.moves.reap([])) == 1
    beside = await bench.countdown(600)
    for retries in range(2):
        await bench.followers.until(lambda n=retries: bench.followers.types().count("task.retrying") == n)  # type: ignore[misc]
        await bench.tasks.db.execute("UPDATE tasks SET run_at = created_at WHERE state = 'queued'")
        bench.lane.ring()
    await bench.followers.until(lambda: "task.failed" in bench.followers.types())
    assert await bench.counts(made.id) == ("failed", 3, 2, 1), "this process lives to tell"
    error = (await bench.tasks.store.get(ADA, made.id)).error
    assert error is not None
    assert error["kind"] == "lost"
    assert hint in error["hint"]
    assert (await bench.counts(beside))[:2] == ("running", 1)


async def test_a_task_that_was_handed_back_runs_here_again_beside_its_last_attempts_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await bench.countdown(600)
    (first,), (attempt,) = bench.runtime._running.values(), bench.runtime._attempts
    first.folder.mkdir()
    removed = asyncio.Event()

    async def removing(*_: object, **__: object) -> None:
        await removed.wait()

    monkeypatch.setattr("workers.runtime.asyncio.to_thread", removing)
    first.hand_back()
    await bench.followers.until(lambda: bench.followers.types().count("task.retrying") == 1)
    bench.lane.ring()
    await bench.followers.until(lambda: bench.followers.types().count("task.started") == 2)
    removed.set()
    await asyncio.wait_for(attempt, 5)
    (second,) = bench.runtime._running.values()
    assert second.claim.attempt == 2
    assert bench.runtime._heart.sure(task_id)
    monkeypatch.undo()


async def test_a_result_outlives_a_database_and_a_file_store_that_are_away_as_its_task_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, keep, upload = Room.used, Room.keep, ArtifactStore.upload
    cuts: list[str] = []

    async def cut(room: Room, user_id: int) -> int:
        if not cuts:
            cuts.append("in the transaction")
            if room._db.dialect == "postgresql":
                await room._db.fetch_val("SELECT pg_terminate_backend(pg_backend_pid())")
            raise Unavailable
        return await used(room, user_id)

    async def unheard(*arguments: Any) -> None:
        await keep(*arguments)
        if len(cuts) < 2:
            cuts.append("after its commit")
            raise Unavailable

    async def away(*arguments: Any) -> None:
        if len(cuts) < 3:
            cuts.append("from the store")
            raise Unavailable
        await upload(*arguments)

    monkeypatch.setattr(Room, "used", cut)
    monkeypatch.setattr(Room, "keep", unheard)
    monkeypatch.setattr(ArtifactStore, "upload", away)
    task_id = await bench.start("makes")
    await bench.followers.until(lambda: len(bench.followers.types()) == 2)
    assert cuts == ["in the transaction", "after its commit", "from the store"]
    assert await bench.counts(task_id) == ("succeeded", 1, 0, 0)
    artifacts = (await bench.tasks.store.get(ADA, task_id)).artifacts
    assert [artifact["size"] for artifact in artifacts] == [5, 6]
    assert await bench.tasks.db.fetch_val("SELECT sum(size) FROM objects") == 11, "counted once"


async def unable(*_: object) -> None:
    raise Unavailable


async def test_a_file_store_that_stays_away_fails_the_attempt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ArtifactStore, "upload", unable)
    monkeypatch.setattr("workers.endings.KEEP_WITHIN", 0.0)
    task_id = await bench.start("makes")
    await bench.followers.until(lambda: "task.retrying" in bench.followers.types())
    assert await bench.counts(task_id) == ("queued", 1, 1, 0)


@pytest.mark.parametrize("why", ["cancelled", "lost", "drained"])
async def test_a_result_that_waits_for_the_file_store_is_given_up_when_it_need_not_be_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    tried = asyncio.Event()

    async def away(*_: object) -> None:
        tried.set()
        raise Unavailable

    monkeypatch.setattr(ArtifactStore, "upload", away)
    task_id = await bench.start("makes")
    async with asyncio.timeout(10):
        await tried.wait()
    match why:
        case "cancelled":
            await bench.tasks.moves.cancel(ADA, [task_id])
            bench.runtime.heed_cancel(task_id)
            await bench.idle()
            assert await bench.counts(task_id) == ("cancelled", 1, 0, 0)
        case "lost":
            bench.lane.close()
            assert len(await bench.tasks.moves.reap([], ahead=60)) == 1
            await bench.idle()
            assert await bench.counts(task_id) == ("queued", 1, 0, 1)
            await bench.stop(0)
        case "drained":
            await bench.stop(0)
            assert await bench.counts(task_id) == ("queued", 1, 0, 0)


async def test_a_fault_of_the_workers_own_hands_the_task_back_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetch = bench.runtime._inputs._fetch

    async def fails_once(running: Running) -> Any:
        running.folder.mkdir()
        monkeypatch.setattr(bench.runtime._inputs, "_fetch", fetch)
        raise KeyError("a workload that a reload took away")

    monkeypatch.setattr(bench.runtime._inputs, "_fetch", fails_once)
    task_id = await bench.countdown(0)
    await bench.followers.until(lambda: "task.retrying" in bench.followers.types())
    bench.lane.ring()
    await bench.followers.until(lambda: "task.succeeded" in bench.followers.types())
    assert await bench.counts(task_id) == ("succeeded", 2, 0, 0)
    await asyncio.gather(*bench.runtime._attempts)
    assert not list(tmp_path.glob(f"{task_id}*")), "nothing of it stays"
    assert bench.lane.free == bench.lane.slots


async def test_faults_of_the_workers_own_do_not_go_on_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: Running) -> Any:
        raise KeyError

    monkeypatch.setattr(bench.runtime._inputs, "_fetch", fails)
    made = await bench.tasks.submit(ADA, workload="countdown", params='{"seconds": 0}', max_attempts=1)
    for retries in range(MOST_FAULTS + 1):
        bench.lane.ring()
        await bench.followers.until(lambda n=retries: bench.followers.types().count("task.started") > n)  # type: ignore[misc]
        await bench.followers.until(lambda n=retries: len(bench.followers.types()) == 2 * (n + 1))  # type: ignore[misc]
    assert await bench.counts(made.id) == ("failed", MOST_FAULTS + 1, 1, 0)
    error = (await bench.tasks.store.get(ADA, made.id)).error
    assert error is not None
    assert "fault of its own" in error["message"]


async def test_a_claim_whose_answer_was_lost_as_the_worker_stops_is_handed_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = type(bench.tasks.moves)
    claim, under = moves.claim, moves.under

    async def cut(*arguments: Any, **named: Any) -> Any:
        if await claim(*arguments, **named):
            bench.lane.close()
            raise Unavailable
        return ()

    async def away_at_first(*arguments: Any) -> Any:
        if not bench.running.done():
            raise Unavailable
        return await under(*arguments)

    monkeypatch.setattr(moves, "claim", cut)
    monkeypatch.setattr(moves, "under", away_at_first)
    made = await bench.tasks.submit(ADA, workload="countdown", params='{"seconds": 600}')
    bench.lane.ring()
    await bench.running
    await bench.runtime.drain(0)
    state, _, errors, lost = await bench.counts(made.id)
    assert (state, errors, lost) == ("queued", 0, 0)


async def test_what_a_task_says_is_kept_during_the_drain(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task_id = await bench.start("stubborn", until=str(tmp_path / "end"))
    bench.lane.close()
    await bench.running
    await bench.tasks.db.execute("UPDATE tasks SET message = ''")
    moves = type(bench.tasks.moves)
    mark, marked = moves.mark, asyncio.Event()

    async def marks(*arguments: Any) -> None:
        await mark(*arguments)
        marked.set()

    monkeypatch.setattr(moves, "mark", marks)
    draining = asyncio.create_task(bench.runtime.drain(10))
    try:
        async with asyncio.timeout(5):
            await marked.wait()
        assert (await bench.tasks.store.get(ADA, task_id)).progress_message == "waiting"
    finally:
        (tmp_path / "end").touch()
        await draining
    assert await bench.counts(task_id) == ("succeeded", 1, 0, 0)


async def old_task(bench: Bench, **params: str) -> Task:
    """How a task ends that an older version of its workload accepted."""
    made = await bench.tasks.submit(ADA, workload="renamed", version=1, params=orjson.dumps(params).decode())
    bench.lane.ring()
    await bench.followers.until(lambda: bool({"task.succeeded", "task.failed"} & set(bench.followers.types())))
    return await bench.tasks.store.get(ADA, made.id)


async def uploaded(bench: Bench, user_id: int) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield b"seven b"

    return str((await bench.runtime._inputs._files.save(user_id, "a.csv", "text/csv", content())).id)


async def test_a_file_of_an_older_version_is_fetched_whatever_its_param_was_called(bench: Bench) -> None:
    task = await old_task(bench, csv=await uploaded(bench, ADA))
    assert (task.state, task.summary) == (State.SUCCEEDED, "seven b")


@pytest.mark.parametrize("source", ["http://example.org/a.csv", "0b5ff4e2-1c9b-4d6c-9d4c-0c1b0f0e7a11", ""])
async def test_a_text_of_an_older_version_that_is_no_file_is_rejected(bench: Bench, source: str) -> None:
    task = await old_task(bench, file=source)
    assert (task.state, (task.error or {}).get("kind")) == (State.FAILED, "rejected")


async def test_the_file_of_somebody_else_is_not_fetched_for_an_older_version(bench: Bench) -> None:
    await bench.tasks.user(ADA + 1)
    task = await old_task(bench, csv=await uploaded(bench, ADA + 1))
    assert (task.state, (task.error or {}).get("kind")) == (State.FAILED, "rejected")
