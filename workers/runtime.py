"""The one execution path of every backend: slot -> claim -> run -> finish."""

import asyncio
import contextlib
import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.batch import Batcher
from app.catalogue import Worker
from app.errors import TasklineError, Unavailable, Unstorable
from app.tasks.model import Claim, Ending, Event
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.params import file_params
from app.tasks.retry import backoff
from workers.execution import Assignment, Execution, LocalFile, Outcome, Stop
from workers.heart import Contact, Heart, Listener
from workers.lane import Lane
from workers.progress import Progress

log = logging.getLogger(__name__)

POLL: Final = 5.0  # seconds after which an idle lane looks for work by itself
AFTER_ERROR: Final = 0.5  # seconds before the database is asked again
MOST_CLAIMED: Final = 100  # tasks in one claim
MARK_EVERY: Final = 1.0  # seconds


@dataclass(slots=True)
class Running:
    """An attempt in a slot."""

    claim: Claim
    stop: Stop
    progress: Progress
    releasing: bool = False  # the worker stops: the task goes back to the queue
    ending: bool = False  # its end is being written
    void: bool = False  # the claim is lost: write nothing


class Runtime:
    """Claims and runs tasks in its lanes until it is drained."""

    def __init__(
        self,
        *,
        worker: Worker,
        lanes: Sequence[Lane],
        moves: Moves,
        outbox: Outbox,
        execution: Execution,
        files: Files,
        artifacts: ArtifactStore,
        contact: Callable[[], AbstractAsyncContextManager[Contact]],
    ) -> None:
        self._worker = worker
        self._lanes = lanes
        self._moves = moves
        self._outbox = outbox
        self._execution = execution
        self._files = files
        self._artifacts = artifacts
        self._running: dict[UUID, Running] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._finish: Batcher[Ending, Event | None] = Batcher(moves.finish, singly=(Unstorable,))
        self._heart = Heart(worker, contact, Listener(cancel=self._cancel, lost=self._lost, fence=self._fence))
        self._loop = asyncio.get_running_loop()
        self._scratch = tempfile.TemporaryDirectory(prefix="taskline-")

    async def run(self) -> None:
        """Claim and run until cancelled; what runs then goes on until `drain`."""
        self._heart.start()
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                lane.ring()  # there may be work already
                group.create_task(self._claim(lane))
            group.create_task(self._keep_marks())

    async def drain(self, within: float) -> None:
        """Let what runs end within so many seconds; hand the rest back to the queue. Call it after `run` has ended."""
        if self._attempts:
            log.info("draining: %d tasks have %g s to end", len(self._attempts), within)
            await asyncio.wait(self._attempts, timeout=within)
        for running in self._running.values():
            if not running.ending:
                running.releasing = True
                running.stop.abandon()
        if self._attempts:
            await asyncio.wait(self._attempts)
        await self._heart.stop()
        self._scratch.cleanup()

    def heed_cancel(self, task_id: UUID) -> None:
        """Somebody says that a running task was cancelled: ask the database now instead of at the next heartbeat."""
        if task_id in self._running:
            self._heart.beat_soon()

    async def _claim(self, lane: Lane) -> None:
        while True:
            waiting = await lane.rung(random.uniform(0.8, 1.2) * POLL)
            limit = min(lane.free, MOST_CLAIMED)
            try:
                claims = await self._moves.claim(self._worker.id, lane.name, lane.able, limit)
            except Unavailable as error:
                log.warning("cannot claim: %s", error)
                await asyncio.sleep(AFTER_ERROR)
                lane.ring()
                claims = []
            for claim in claims:
                self._start(lane, claim)
            self._outbox.committed(claim.event for claim in claims)
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)
            if len(claims) == limit:
                lane.ring()  # there may be more

    def _start(self, lane: Lane, claim: Claim) -> None:
        lane.take(1)
        running = Running(claim, Stop(), Progress(claim, self._outbox.tell))
        self._running[claim.id] = running
        self._heart.hold(claim.id, claim.token)
        attempt = asyncio.create_task(self._attempt(lane, running))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, lane: Lane, running: Running) -> None:
        claim = running.claim
        try:
            outcome = await self._outcome(running)
            running.ending = True
            running.progress.end()
            await self._end(running, outcome)
        except Exception:
            log.exception("task %s: the attempt could not be ended; its lease gives it to another worker", claim.id)
        finally:
            self._heart.release(claim.id)
            del self._running[claim.id]
            lane.give_back()

    async def _outcome(self, running: Running) -> Outcome:
        claim = running.claim
        folder = Path(self._scratch.name) / f"{claim.id}-{claim.attempt}"
        try:
            files = await self._local_files(claim, folder)
        except TasklineError as error:
            return Outcome.failure(
                "error",
                error.detail,
                "Upload the file again and start the task anew.",
                retry=isinstance(error, Unavailable),
            )
        assignment = Assignment(
            task_id=claim.id,
            attempt=claim.attempt,
            max_attempts=claim.max_attempts,
            claim=claim.token,
            workload=claim.workload,
            version=claim.version,
            params=dict(claim.params),
            files=files,
            folder=folder,
        )
        return await self._execution.run(assignment, running.progress, running.stop)

    async def _local_files(self, claim: Claim, folder: Path) -> dict[str, LocalFile]:
        found = {}
        for name in file_params(self._execution.schema(claim.workload)):
            if (file_id := claim.params.get(name)) is not None:
                file = await self._files.get(claim.user_id, UUID(file_id))
                path = await self._artifacts.local(file.key, folder)
                found[file_id] = LocalFile(id=file_id, name=file.name, size=file.size, sha256=file.sha256, path=path)
        return found

    async def _end(self, running: Running, outcome: Outcome) -> None:
        claim = running.claim
        kept: list[dict[str, Any]] = []
        if outcome.kind == "succeeded":
            kept = await self._keep_artifacts(claim, outcome)
        event = await self._write(running, _ending(running, outcome, kept))
        if event is not None:
            self._outbox.committed([event])
        elif kept and not running.void:
            log.warning("task %s: the claim was lost before its end was written", claim.id)
        await self._drop_scratch(claim)

    async def _write(self, running: Running, ending: Ending) -> Event | None:
        """Write an end until the database answers, or the claim is lost. The answer may have got lost: then the second try finds no claim, and the end stands."""
        while not running.void:
            try:
                return await self._finish(ending)
            except Unavailable as error:
                log.warning("task %s: cannot write its end yet: %s", ending.id, error)
                await asyncio.sleep(AFTER_ERROR)
            except Unstorable as error:
                message = {"kind": "error", "message": "The result cannot be stored.", "hint": error.detail}
                ending = Ending(
                    id=ending.id,
                    attempt=ending.attempt,
                    token=ending.token,
                    verdict="failed",
                    error=orjson.dumps(message).decode(),
                )
        return None

    async def _keep_artifacts(self, claim: Claim, outcome: Outcome) -> list[dict[str, Any]]:
        kept = []
        for file in outcome.artifacts:
            # A folder of its own for each claim: an attempt that was given up can never overwrite what another one made.
            key = f"tasks/{claim.id}/{claim.attempt}-{claim.token}/{file.name}"
            await self._artifacts.upload(key, file.path)
            kept.append({"name": file.name, "media_type": file.media_type, "size": file.size, "key": key})
        return kept

    async def _drop_scratch(self, claim: Claim) -> None:
        folder = Path(self._scratch.name) / f"{claim.id}-{claim.attempt}"
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _keep_marks(self) -> None:
        while True:
            await asyncio.sleep(MARK_EVERY)
            marks = [mark for running in list(self._running.values()) if (mark := running.progress.mark())]
            if marks:
                with contextlib.suppress(Unavailable):
                    await self._moves.mark(marks)

    def _cancel(self, task_id: UUID) -> None:
        if running := self._running.get(task_id):
            running.stop.cancel()

    def _lost(self, task_id: UUID, token: UUID) -> None:
        running = self._running.get(task_id)
        if running is not None and running.claim.token == token and not running.ending:
            log.warning("task %s: the claim was lost; stopping its work", task_id)
            self._void(running)

    def _fence(self) -> None:
        self._execution.kill_all()
        self._loop.call_soon_threadsafe(self._void_all)

    def _void_all(self) -> None:
        for running in self._running.values():
            self._void(running)

    def _void(self, running: Running) -> None:
        running.void = True
        running.stop.abandon()


def _ending(running: Running, outcome: Outcome, kept: list[dict[str, Any]]) -> Ending:
    claim = running.claim
    released = running.releasing and outcome.kind == "cancelled"
    return Ending(
        id=claim.id,
        attempt=claim.attempt,
        token=claim.token,
        verdict="released" if released else outcome.kind,
        retry_after=backoff(claim.attempt) if outcome.retry_after is None else outcome.retry_after,
        summary=outcome.summary,
        result=_text(outcome.result),
        error=_text(outcome.error),
        artifacts=_text(kept or None),
        log=_text([{"at": line.at, "level": line.level, "text": line.text} for line in outcome.log] or None),
    )


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
