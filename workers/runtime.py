"""The one execution path of every backend: slot -> claim -> run -> finish."""

import asyncio
import contextlib
import logging
import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final
from uuid import UUID

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.catalogue import Worker
from app.errors import TasklineError, Unavailable
from app.tasks.model import Claim
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.params import file_params
from workers.endings import Endings
from workers.execution import Assignment, Execution, LocalFile, Outcome, Stop
from workers.heart import USUAL, Contact, Heart, Listener, Rhythm
from workers.lane import Lane
from workers.progress import Progress
from workers.running import Running

log = logging.getLogger(__name__)

POLL: Final = 5.0  # seconds after which an idle lane looks for work by itself
AFTER_ERROR: Final = 0.5  # seconds before the database is asked again
MOST_CLAIMED: Final = 100  # tasks in one claim
HAND_BACK_WITHIN: Final = 15.0  # seconds; more than a database takes to come back from a restart
MARK_EVERY: Final = 1.0  # seconds


class Runtime:
    """Claims and runs tasks in its lanes until it is drained. Attempts have their folders in `scratch`."""

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
        scratch: Path,
        rhythm: Rhythm = USUAL,
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
        self._endings = Endings(moves, outbox, artifacts)
        self._heart = Heart(worker, contact, Listener(cancel=self._cancel, lost=self._lost, fence=self._fence), rhythm)
        self._loop = asyncio.get_running_loop()
        self._scratch = scratch

    @property
    def held(self) -> list[UUID]:
        """The tokens of the claims that this worker runs."""
        return [running.claim.token for running in self._running.values()]

    async def run(self) -> None:
        """Claim and run until the lanes are closed; what runs then goes on until `drain`.

        Closed, not cancelled: a claim under way may commit, and its tasks must not wait for their leases to end.
        """
        self._heart.start()
        marking = asyncio.create_task(self._keep_marks())
        try:
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes:
                    lane.ring()  # there may be work already
                    group.create_task(self._claim(lane))
        finally:
            marking.cancel()

    async def drain(self, within: float) -> None:
        """Let what runs end within so many seconds; hand the rest back to the queue. Call it after `run` has ended.

        Where the database is away, nothing can be handed back: then the leases end by themselves.
        """
        if self._attempts:
            log.info("draining: %d tasks have %g s to end", len(self._attempts), within)
            await asyncio.wait(self._attempts, timeout=within)
        for running in self._running.values():
            if not running.ending:
                running.release()
        if self._attempts:
            _, left = await asyncio.wait(self._attempts, timeout=HAND_BACK_WITHIN)
            for attempt in left:
                attempt.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await self._heart.stop()

    def heed_cancel(self, task_id: UUID) -> None:
        """Somebody says that a running task was cancelled: ask the database now instead of at the next heartbeat."""
        if task_id in self._running:
            self._heart.beat_soon()

    async def _claim(self, lane: Lane) -> None:
        while (waiting := await lane.rung(random.uniform(0.8, 1.2) * POLL)) is not None:
            limit = min(lane.free, MOST_CLAIMED)
            try:
                claims = await self._moves.claim(self._worker.id, lane.name, lane.able, limit)
            except Unavailable as error:
                log.warning("cannot claim: %s", error)
                lane.answer(waiting, error)
                await asyncio.sleep(AFTER_ERROR)
                lane.ring()
                continue
            for claim in claims:
                self._start(lane, claim)
            self._outbox.committed((claim.event for claim in claims), patient=True)
            lane.answer(waiting)
            if len(claims) == limit:
                lane.ring()  # there may be more

    def _start(self, lane: Lane, claim: Claim) -> None:
        lane.take(1)
        folder = self._scratch / f"{claim.id}-{claim.attempt}"
        running = Running(claim, Stop(), Progress(claim, self._outbox.tell), folder)
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
            await self._endings.write(running, outcome)
            if running.folder.exists():
                await asyncio.to_thread(shutil.rmtree, running.folder, ignore_errors=True)
        except Exception:
            log.exception("task %s: the attempt could not be ended; its lease gives it to another worker", claim.id)
        finally:
            self._heart.release(claim.id)
            del self._running[claim.id]
            lane.give_back()

    async def _outcome(self, running: Running) -> Outcome:
        claim = running.claim
        try:
            files = await self._local_files(running)
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
            folder=running.folder,
        )
        return await self._execution.run(assignment, running.progress, running.stop)

    async def _local_files(self, running: Running) -> dict[str, LocalFile]:
        claim, found = running.claim, {}
        for name in file_params(self._execution.schema(claim.workload)):
            if (file_id := claim.params.get(name)) is not None:
                file = await self._files.get(claim.user_id, UUID(file_id))
                path = await self._artifacts.local(file.key, running.folder)
                found[file_id] = LocalFile(id=file_id, name=file.name, size=file.size, sha256=file.sha256, path=path)
        return found

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
            running.give_up()

    def _fence(self) -> None:
        self._execution.kill_all()
        self._loop.call_soon_threadsafe(self._give_up_all)

    def _give_up_all(self) -> None:
        for running in self._running.values():
            running.give_up()
