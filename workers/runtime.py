"""The one execution path of every backend: slot -> claim -> run -> finish."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.artifacts.results import Results
from app.catalogue import Worker
from app.errors import TasklineError, Unavailable
from app.tasks.model import Claim
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from workers.assignment import Assignment, Outcome, Stop
from workers.background import background
from workers.doubts import Doubts
from workers.endings import Endings
from workers.execution import Execution
from workers.heart import Contact, Heart, Listener, Rhythm
from workers.inputs import Inputs
from workers.keeper import Keeper
from workers.lane import Lane
from workers.pace import Pace
from workers.progress import Progress
from workers.running import Running
from workers.scratch import remove
from workers.watch import GRACE

log = logging.getLogger(__name__)

AFTER_ERROR: Final = 0.5  # seconds before the database is asked again
MOST_CLAIMED: Final = 100  # tasks in one claim
HAND_BACK_WITHIN: Final = 15.0  # seconds; more than a database takes to come back from a restart
MOST_FAULTS: Final = 3  # attempts that the worker's own faults cost no task a retry


class Runtime:
    """Claims and runs tasks in its lanes until it is drained. Attempts have their folders in `scratch`. `poll`: seconds until an idle lane looks for work by itself."""

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
        rhythm: Rhythm,
        poll: float,
        contact: Callable[[], AbstractAsyncContextManager[Contact]],
    ) -> None:
        self._worker = worker
        self._lanes = lanes
        self._moves = moves
        self._outbox = outbox
        self._execution = execution
        self._inputs = Inputs(files, artifacts, execution)
        self._running: dict[UUID, Running] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._jobs: list[asyncio.Task[None]] = []
        self._keeper = Keeper(moves, lambda: list(self._running.values()))
        self._endings = Endings(moves, outbox, Results(files.room, artifacts))
        self._rhythm = rhythm
        self._poll = poll
        self._doubts = Doubts(moves, outbox, lasting=rhythm.fence)
        self._heart = Heart(worker, contact, Listener(cancel=self._cancel, lost=self._lost, fence=self._fence), rhythm)
        self._loop = asyncio.get_running_loop()
        self._scratch = scratch

    @property
    def held(self) -> list[UUID]:
        """The tokens of the claims that this worker runs."""
        return [running.claim.token for running in self._running.values()]

    def renew(self, worker: Worker) -> None:
        """Its workloads are others than before."""
        self._heart.renew(worker)

    async def run(self) -> None:
        """Claim and run until the lanes are closed; what runs then goes on until `drain`, which must follow.

        Closed, not cancelled: a claim under way may commit, and its tasks must not wait for their leases to end.
        """
        self._heart.start()
        self._jobs = [background(self._keeper.run()), background(self._doubts.run())]
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                lane.ring()  # there may be work already
                group.create_task(self._claim(lane))

    async def drain(self, within: float) -> None:
        """Let what runs end within so many seconds; hand the rest back to the queue. Call it after `run` has ended.

        Where the database is away, nothing can be handed back: then the leases end by themselves.
        """
        if self._attempts:
            log.info("draining: %d tasks have %g s to end", len(self._attempts), within)
            await asyncio.wait(self._attempts, timeout=within)
        self._hand_all_back()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=GRACE)
        for running in self._running.values():
            running.stop.abandon()  # a thread that does not end does so with this process, a moment from now
        settling = asyncio.create_task(self._doubts.settled())
        _, left = await asyncio.wait([*self._attempts, settling], timeout=HAND_BACK_WITHIN)
        left.update(self._jobs)
        for job in left:
            job.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._heart.stop()

    def heed_cancel(self, task_id: UUID) -> None:
        """Somebody says that a running task was cancelled: ask the database now instead of at the next heartbeat."""
        if task_id in self._running:
            self._heart.beat_soon()

    async def _claim(self, lane: Lane) -> None:
        pace = Pace(self._poll)
        while (waiting := await lane.rung(pace.pause(deaf=lane.deaf))) is not None:
            limit, token, asked_at = min(lane.free, MOST_CLAIMED), uuid4(), time.monotonic()
            try:
                claims = await self._moves.claim(self._worker.id, lane.name, lane.able, limit, token=token)
            except Unavailable as error:
                log.warning("cannot claim: %s", error)
                self._doubts.add(token)
                lane.answer(waiting, error)
                await asyncio.sleep(AFTER_ERROR)
                lane.ring()
                continue
            if time.monotonic() - asked_at > self._rhythm.fence / 2:
                # Too late to begin: the leases may end before the next heartbeat is answered.
                log.warning("a claim took %.1f s: its tasks go back to the queue", time.monotonic() - asked_at)
                self._doubts.add(token)
                claims = ()
            for claim in claims:
                self._start(lane, claim, asked_at)
            pace.found(len(claims))
            self._outbox.committed((claim.event for claim in claims), patient=True)
            lane.answer(waiting)
            if len(claims) == limit:
                lane.ring()  # there may be more

    def _start(self, lane: Lane, claim: Claim, asked_at: float) -> None:
        lane.take(1)
        folder = self._scratch / f"{claim.id}-{claim.attempt}"
        progress = Progress(claim, self._outbox.tell, lambda: self._heart.sure(claim.id))
        running = Running(claim, Stop(), progress, folder)
        if (earlier := self._running.get(claim.id)) is not None:
            earlier.give_up()  # its claim was lost, which this worker would have heard at the next heartbeat
        self._running[claim.id] = running
        self._heart.hold(claim.id, claim.token, asked_at)
        attempt = asyncio.create_task(self._attempt(lane, running))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, lane: Lane, running: Running) -> None:
        claim = running.claim
        try:
            try:
                await self._end(running, await self._outcome(running))
            except Exception:
                log.exception("task %s: attempt %d came to nothing by a fault of this worker", claim.id, claim.attempt)
                await self._end(running, _after_fault(claim))
        except Exception:
            log.exception("task %s: the attempt could not be ended; its lease gives it to another worker", claim.id)
        finally:
            self._forget(running)
            try:
                if running.folder.exists():
                    await asyncio.to_thread(remove, running.folder)
            finally:
                lane.give_back()

    async def _end(self, running: Running, outcome: Outcome) -> None:
        running.ending = True
        running.progress.end()
        await self._keeper.rest(running)
        await self._endings.write(running, outcome)

    def _forget(self, running: Running) -> None:
        # Handed back a moment ago, the task may run here again by now, under another token.
        if self._running.get(running.claim.id) is running:
            self._heart.release(running.claim.id)
            del self._running[running.claim.id]

    async def _outcome(self, running: Running) -> Outcome:
        claim = running.claim
        try:
            files = await self._inputs.fetch(running)
        except Unavailable as error:
            if running.stop.reason is not None:
                return Outcome.stopped(running.stop)
            return Outcome.failure("error", error.detail, "Start it again once the service is well.", retry=True)
        except TasklineError as error:
            return Outcome.failure("error", error.detail, "Upload the file again and start the task anew.")
        assignment = Assignment(
            task_id=claim.id,
            attempt=claim.attempt,
            claim=claim.token,
            workload=claim.workload,
            version=claim.version,
            params=dict(claim.params),
            files=files,
            folder=running.folder,
            book=running.book,
            apart=claim.lost > 0,
        )
        return await self._execution.run(assignment, running.progress, running.stop)

    def _cancel(self, task_id: UUID) -> None:
        if running := self._running.get(task_id):
            if running.stop.reason == "withdraw":
                running.stop.abandon()  # it will not run again: no need to wait for its end
            running.stop.cancel()

    def _lost(self, task_id: UUID, token: UUID) -> None:
        running = self._running.get(task_id)
        if running is None or running.claim.token != token:
            return
        if not running.ending:  # whose claim is over as soon as its end is written
            log.warning("task %s: the claim was lost; stopping its work", task_id)
        running.give_up()

    def _fence(self) -> None:
        self._execution.kill_all()
        self._loop.call_soon_threadsafe(self._hand_all_back)

    def _hand_all_back(self) -> None:
        for running in self._running.values():
            running.hand_back()


def _after_fault(claim: Claim) -> Outcome:
    """Another worker may do better, or this one in a moment; but not for ever."""
    if claim.attempt <= MOST_FAULTS:
        return Outcome(kind="withdrawn")
    hint = "The worker's log tells an administrator why. Then start it again."
    return Outcome.failure("error", "The worker could not run this task, by a fault of its own.", hint, retry=True)
