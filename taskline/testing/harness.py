"""Runs workloads as the service would: the same checks, retries, time limits and cancelling, on a virtual clock."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from taskline.calling import Raised
from taskline.definition import Workload
from taskline.testing.attempt import Attempt, Call, Dead, Ending, Returned
from taskline.testing.clock import Clock
from taskline.testing.host import Host, Reason
from taskline.testing.run import Run
from taskline.testing.submission import accepted

LEASE: Final = 10.0  # seconds until a dead worker is missed
MOST_PLACES: Final = 50  # that `crash_everywhere` tries


class Harness:
    """Runs tasks one after the other. Use it in a `with` block, or as pytest's fixture `tasks`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="taskline-tests-"))
        self._dead: list[Attempt] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all that was run."""
        self._release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(
        self,
        workload: Workload[..., Any],
        params: Mapping[str, Any] | None = None,
        *,
        crash_at: int | None = None,
        cancel_at: int | None = None,
        secrets: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> Run:
        """Run a task to its end, retries included. A `Path` for a param that takes a file stands for an upload.

        crash_at, cancel_at: the worker dies, or the owner cancels, at this report, from 1. A report is whatever the workload tells through `ctx`: progress, each
        tracked item, a line of the log, a text, metric, table, chart, artifact or image. secrets: what the worker's environment holds. version: the task was
        accepted by this older version of the workload.

        Raises `NotAccepted` where the service would refuse the params, and `AssertionError` where the report that was named never came.
        """
        accepted_version = workload.version if version is None else version
        crossed, files = accepted(workload, params or {}, accepted_version)
        told = {name: value for name, value in (secrets or {}).items() if name in workload.secrets}
        run, clock, task_id = Run(told=["task.queued"]), Clock(), uuid4()
        errors, again = 0, True
        while again:
            run.attempts += 1
            run.told.append("task.started")
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            host = Host(
                run,
                clock,
                folder,
                limit=workload.timeout_s,
                on_loop=workload.mode == "loop",
                crash_at=crash_at,
                cancel_at=cancel_at,
            )
            call = Call(
                workload=workload,
                params=crossed,
                files=files,
                version=accepted_version,
                secrets=told,
                task_id=task_id,
                attempt=run.attempts,
            )
            attempt = Attempt(call, host, clock, folder)
            ending = attempt.run(may_die=crash_at is not None and run.reports < crash_at)
            run.exception = attempt.exception
            if isinstance(ending, Dead):
                self._dead.append(attempt)
            errors += isinstance(ending, Raised)
            again = _ended(run, workload, ending, host.reason, errors, clock)
        run.seconds = clock.now
        for named, what in ((crash_at, "crash"), (cancel_at, "cancel")):
            if named is not None and run.reports < named:
                raise AssertionError(f"there was no report {named} to {what} at: the task made {run.reports}")
        return run

    def crash_everywhere(
        self,
        workload: Workload[..., Any],
        params: Mapping[str, Any] | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        same: Callable[[Run], object] | None = None,
    ) -> Run:
        """Run it once, then again and again with the worker dying at each report in turn: what comes out must be the same. At most 50 places, evenly spread.

        same: what of a run has to be the same; its value, what it shows and its artifacts unless said. Returns the run without a crash. Raises `AssertionError`
        that names the report.
        """
        see = same or _shown
        unharmed = self.run(workload, params, secrets=secrets)
        if unharmed.state != "succeeded":
            raise AssertionError(f"{workload.name} {unharmed.state} even without a crash") from unharmed.exception
        many = unharmed.reports
        places = range(1, many + 1) if many <= MOST_PLACES else _spread(many)
        for place in places:
            run = self.run(workload, params, crash_at=place, secrets=secrets)
            self._release()
            if run.state != "succeeded":
                raise AssertionError(
                    f"after a crash at report {place} of {many} the task {run.state}: {run.error}"
                ) from (run.exception)
            if see(run) != see(unharmed):
                raise AssertionError(
                    f"after a crash at report {place} of {many} the result is another: {see(run)!r} instead of {see(unharmed)!r}"
                )
        return unharmed

    def _release(self) -> None:
        for attempt in self._dead:
            attempt.release()
        self._dead.clear()


def _ended(
    run: Run, workload: Workload[..., Any], ending: Ending, reason: Reason | None, errors: int, clock: Clock
) -> bool:
    """Write down how an attempt ended; whether there is another. `errors`: attempts that raised, this one included; a worker's death is none."""
    match ending:
        case Dead():
            # That is not the workload's fault: it is tried again whatever `retries` says.
            clock.advance(LEASE)
            run.told.append("task.retrying")
            return True
        case _ if reason is not None:
            run.state = "cancelled" if reason == "cancel" else "failed"
            if reason == "timeout":
                message = f"The task took longer than its limit of {workload.timeout_s:g} seconds."
                run.error = {
                    "kind": "timeout",
                    "message": message,
                    "hint": "Give it less to do, or raise the workload's timeout.",
                }
        case Returned(result, artifacts):
            run.state, run.result, run.artifacts, run.error = "succeeded", result, artifacts, None
        case Raised(kind="retry", after=after) if errors < workload.max_attempts:
            clock.advance(2.0**run.attempts if after is None else after)
            run.told.append("task.retrying")
            return True
        case Raised(kind="cancelled"):
            run.error = {
                "kind": "error",
                "message": "The workload ended itself with Cancelled, though nobody had asked it to.",
                "hint": None,
            }
        case Raised(kind=kind, message=message, hint=hint):
            run.error = {"kind": "rejected" if kind == "rejected" else "error", "message": message, "hint": hint}
    run.told.append(f"task.{run.state}")
    return False


def _shown(run: Run) -> object:
    return run.value, [block.model_dump() for block in run.blocks], run.artifacts


def _spread(many: int) -> list[int]:
    return [1 + round(place * (many - 1) / (MOST_PLACES - 1)) for place in range(MOST_PLACES)]
