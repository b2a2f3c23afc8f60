"""Runs one claimed task in the mode that its workload asks for, and says how it ended."""

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Any, Final

from taskline import Workload
from workers.allowance import Allowance
from workers.assignment import Assignment, Outcome, Reports, Stop
from workers.attempt import Attempt
from workers.children import Children
from workers.deaths import Death
from workers.description import Catalogue, Description
from workers.in_thread import run_in_thread
from workers.invocation import load
from workers.on_loop import run_on_loop
from workers.watch import Watch
from workers.wire import SentFile, Work

log = logging.getLogger(__name__)

MOST_APART: Final = 32  # processes, at once, of tasks that run in none usually; each takes memory


class Execution:
    """Runs the workloads of a catalogue. Up to `warm` child processes that have served are kept; `environ` is where secrets come from; `usual` is what
    a task in a process may use where its workload says nothing. One loop.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        warm: int = 1,
        environ: Mapping[str, str] = os.environ,
        usual: Allowance = Allowance(),  # noqa: B008  it is frozen
    ) -> None:
        self._known = catalogue.answering
        self._environ = environ
        self._usual = usual
        self._children = Children(warm=warm, environ=environ)
        self._loaded: dict[str, Workload[..., Any]] = {}
        self._places = asyncio.Semaphore(MOST_APART)

    def open(self) -> None:
        """Ready to run. A child process is started in the background where some workload needs one."""
        self._children.open(spare=any(one.mode == "process" for one in self._known.values()))

    async def close(self) -> None:
        """Kill every child and wait until all are gone."""
        await self._children.close()

    def renew(self, catalogue: Catalogue) -> None:
        """Run the workloads of this catalogue from now on, with their code as it is then; what runs goes on as it began."""
        self._known = catalogue.answering
        self._loaded.clear()
        self._children.renew()

    def kill_all(self) -> None:
        """SIGKILL every child that works, at once; their work is withdrawn. Any thread, even while the loop is blocked."""
        self._children.kill_all()

    def description(self, workload: str) -> Description | None:
        """What is known of a workload; None where the catalogue does not have it."""
        return self._known.get(workload)

    async def run(self, assignment: Assignment, reports: Reports, stop: Stop) -> Outcome:
        """Run one attempt within its time limit. Never raises for what a workload does; where the caller is cancelled, the work is ended."""
        description = self._known.get(assignment.workload)
        if description is None or assignment.version > description.version:
            return Outcome.failure(
                "error", f"This worker cannot run version {assignment.version} of {assignment.workload}.", retry=True
            )
        secrets = {name: self._environ[name] for name in description.secrets if name in self._environ}
        apart = assignment.apart and description.mode != "process"
        if apart and not await self._place(stop):
            return Outcome.stopped(stop)
        attempt = Attempt(assignment, description, reports, secrets)
        if apart:
            try:
                return await self._run_in_child(attempt, stop)
            finally:
                self._places.release()
        if description.mode == "process":
            return await self._run_in_child(attempt, stop)
        try:
            workload = self._loaded.get(description.target) or await self._load(description.target)
        except Exception as error:
            log.exception("cannot load %s", description.target)
            return Outcome.failure("error", f"This workload cannot be loaded: {type(error).__name__}: {error}")
        if description.mode == "loop":
            return await run_on_loop(workload, attempt, stop)
        return await run_in_thread(workload, attempt, stop)

    async def _load(self, target: str) -> Workload[..., Any]:
        # In a thread: an import may take long, and the loop has heartbeats to send.
        workload = self._loaded[target] = await asyncio.to_thread(load, target)
        return workload

    async def _place(self, stop: Stop) -> bool:
        """Wait for a place among the processes apart; False where the task is asked to end before."""
        place = asyncio.ensure_future(self._places.acquire())
        stop.on_change(place.cancel)
        try:
            await place
        except asyncio.CancelledError:
            if stop.reason is None:
                raise
            return False
        return True

    async def _run_in_child(self, attempt: Attempt, stop: Stop) -> Outcome:
        book = attempt.assignment.book
        try:
            child = await self._children.take(attempt.description.target)
        except (OSError, TimeoutError) as error:
            return Outcome.failure("error", f"No process could be started for this task: {error}", retry=True)
        healthy = False

        def interrupt() -> None:
            attempt.asked = True
            child.interrupt()

        try:
            with Watch(stop, attempt.description.timeout_s, interrupt=interrupt, kill=child.kill, deadly=True) as watch:
                ending = await child.run(
                    _work(attempt, Allowance.of(attempt.description, self._usual)),
                    on_progress=attempt.progress,
                    on_log=lambda said: book.add(said.level, said.text, said.at),
                    on_print=lambda text: attempt.log("info", text),
                )
            await child.printed()
            healthy = watch.reason is None and not isinstance(ending, Death)
            return attempt.outcome(ending, watch.reason)
        finally:
            await self._children.give_back(child, healthy=healthy)


def _work(attempt: Attempt, allowance: Allowance) -> Work:
    assignment = attempt.assignment
    return Work(
        target=attempt.description.target,
        task_id=assignment.task_id,
        attempt=assignment.attempt,
        claim=assignment.claim,
        version=assignment.version,
        params=assignment.params,
        files=[
            SentFile(id=one.id, name=one.name, size=one.size, sha256=one.sha256, path=one.path.resolve())
            for one in assignment.files.values()
        ],
        folder=attempt.folder().resolve(),
        remaining_s=attempt.remaining(),
        allowance=allowance,
        secrets=dict(attempt.secrets),
    )
