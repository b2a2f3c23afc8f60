"""The runtime on a real database with real work: cancel, drain, lost claims, fencing, progress."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.catalogue import Catalogue, Worker
from app.errors import Unavailable
from app.events.model import Frame
from app.queues import open_queue
from app.tasks.outbox import Outbox
from app.tasks.states import State
from tests.contracts.task_databases import Tasks, task_database
from workers.describe import BUILT_IN, describe
from workers.execution import Execution
from workers.heart import Contact, Rhythm
from workers.lane import Lane
from workers.runtime import Runtime

ADA = 1
ABLE = {"countdown": 1}


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

    async def countdown(self, seconds: float) -> UUID:
        """Start one, and wait until it runs."""
        made = await self.tasks.submit(ADA, workload="countdown", params=f'{{"seconds": {seconds}}}')
        self.lane.ring()
        await self.followers.until(lambda: "task.started" in self.followers.types())
        return made.id

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
        described = await describe([BUILT_IN])
        execution = Execution(described)
        artifacts = ArtifactStore((tmp_path / "files").as_uri())
        followers, queue = Followers(), open_queue("memory://", deployment="test")
        outbox = Outbox(followers, queue)
        lane = Lane("light", 4, ABLE)
        now = datetime.now(UTC)
        worker = Worker(
            id=uuid4(),
            host="here",
            pid=os.getpid(),
            version="1",
            started_at=now,
            last_seen_at=now,
            workloads=ABLE,
            slots={"light": 4},
        )

        @contextlib.asynccontextmanager
        async def contact() -> AsyncIterator[Contact]:
            async with task_database(database_url) as of_heart:
                yield Contact(of_heart.moves, Catalogue(of_heart.db))

        runtime = Runtime(
            worker=worker,
            lanes=[lane],
            moves=tasks.moves,
            outbox=outbox,
            execution=execution,
            files=Files(tasks.db, artifacts, most=1000),
            artifacts=artifacts,
            scratch=tmp_path,
            rhythm=Rhythm(every=0.1, again=0.05, fence=0.5),
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
    (event,) = await bench.tasks.moves.reap([], ahead=60)
    assert event.type == "task.retrying"
    await bench.idle()
    task = await bench.tasks.store.get(ADA, task_id)
    assert task.state in (State.QUEUED, State.RUNNING)
    assert bench.followers.types() == ["task.started"], "the zombie told nobody anything"


async def test_without_the_database_all_work_is_ended_before_the_leases(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = await bench.countdown(600)

    async def gone(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(type(bench.tasks.moves), "heartbeat", gone)
    await bench.idle()
    assert (await bench.tasks.store.get(ADA, task_id)).state is State.RUNNING, "its lease gives it to another worker"
