"""Why a task has not started: the reason, and the remedy where there is one. Only what is known is said."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from app.catalogue import BUILT_IN, Catalogue, Worker
from app.tasks.model import Task
from app.tasks.outbox import Outbox
from app.tasks.states import State
from app.tasks.store import MOST_AHEAD, TaskStore

Reason = Literal["line", "scheduled", "retry", "no_worker", "no_capable_worker", "broker_down"]
BROKER_DOWN_AFTER: Final = 2.0  # seconds; before that the next wake-up may get through


@dataclass(frozen=True, slots=True)
class Wait:
    """`position` counts from 1 (next to start); `estimate_s` is None while nothing is known to base one on."""

    reason: Reason
    message: str
    position: int | None = None
    estimate_s: float | None = None

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


class Waits:
    """Explains a task by the catalogue of workers and the line before it."""

    def __init__(self, store: TaskStore, catalogue: Catalogue, outbox: Outbox) -> None:
        self._store = store
        self._catalogue = catalogue
        self._outbox = outbox

    async def explain(self, task: Task) -> Wait | None:
        """None where the task does not wait."""
        if task.state is not State.QUEUED:
            return None
        workers = await self._catalogue.workers()
        if not workers:
            return Wait("no_worker", "No worker is running. Start one: taskline worker")
        if not any(worker.workloads.get(task.workload, -1) >= task.version for worker in workers):
            return Wait("no_capable_worker", await self._incapable(task, workers))
        ahead = await self._store.ahead(task)
        if ahead is None:
            if task.attempt:
                return Wait(
                    "retry",
                    f"Attempt {task.attempt} of {task.max_attempts} did not succeed; the next one starts at {_clock_time(task.run_at)}.",
                )
            return Wait("scheduled", f"Starts at {_clock_time(task.run_at)}.")
        position = ahead + 1 if ahead < MOST_AHEAD else None
        if await self._outbox.broker_down_for() > BROKER_DOWN_AFTER:
            return Wait(
                "broker_down",
                "The queue's broker takes no wake-ups. Workers look for work by themselves meanwhile, which may take a second longer.",
                position,
            )
        return Wait(
            "line",
            "Next in line; starts when a worker is free."
            if position == 1
            else f"{'At least ' if position is None else ''}{ahead:,} in line before this one.",
            position,
        )

    async def _incapable(self, task: Task, workers: Sequence[Worker]) -> str:
        if newest := _newest(task.workload, workers):
            return (
                f"The running workers know version {newest} of {task.workload}, this task needs {task.version}. "
                "Start one of the newer release: taskline worker"
            )
        known = await self._catalogue.get(task.workload)
        module = known.source.partition(":")[0] if known and known.source != BUILT_IN else None
        if module and any(one.source.partition(":")[0] == module for worker in workers for one in worker.left_out):
            return (
                f"No running worker can run {task.workload}: the plug-in {module} could not be loaded. "
                "The worker's log says why; mend it, and start the worker again."
            )
        where = f" where {module} is installed" if module else ""
        return f"No running worker takes {task.workload}. Start one that does{where}: taskline worker --workloads {task.workload}"


def _newest(name: str, workers: Sequence[Worker]) -> int:
    return max(worker.workloads.get(name, 0) for worker in workers)


def _clock_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
