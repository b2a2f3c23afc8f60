"""Why a task has not started, or would not if it were submitted now: the reason, and the remedy where there is one. Only what is known is said."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from app.catalogue import Catalogue, Worker, Workload
from app.tasks.estimates import until_start
from app.tasks.line import Lines
from app.tasks.model import Task
from app.tasks.outbox import Outbox
from app.tasks.pauses import Pause, Pauses
from app.tasks.quota import Quota
from app.tasks.run_times import RunTimes
from app.tasks.states import State
from app.tasks.store import MOST_AHEAD, TaskStore

# A limit holds no task that was accepted: it refuses the next one.
Reason = Literal["line", "scheduled", "retry", "limit", "paused", "no_worker", "no_capable_worker", "broker_down"]
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

    def __init__(
        self,
        *,
        store: TaskStore,
        catalogue: Catalogue,
        outbox: Outbox,
        quota: Quota,
        lines: Lines,
        run_times: RunTimes,
        pauses: Pauses,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._outbox = outbox
        self._quota = quota
        self._lines = lines
        self._run_times = run_times
        self._pauses = pauses

    async def usual(self) -> Mapping[str, float]:
        """Seconds that work usually takes, by workload; without those that have no history."""
        return await self._run_times.usual()

    async def explain(self, task: Task) -> Wait | None:
        """None where the task does not wait."""
        if task.state is not State.QUEUED:
            return None
        paused = await self._pauses.all()
        if task.workload in paused:
            return _paused(paused[task.workload])
        workers = await self._catalogue.workers()
        able = _able(task.workload, task.version, workers)
        if not able:
            return await self._nobody(task.workload, task.version, workers)
        ahead = await self._store.ahead(task, without=paused.keys())
        if ahead is None:
            if task.attempt:
                return Wait(
                    "retry",
                    f"Attempt {task.attempt} of {task.max_attempts} did not succeed; the next one starts at {_clock_time(task.run_at)}.",
                )
            return Wait("scheduled", f"Starts at {_clock_time(task.run_at)}.")
        before = [workload for workload, _ in (await self._lines.of(task.lane)).due if workload not in paused][:ahead]
        estimate = await self._until_start(ahead, before or [task.workload], task.lane, able)
        return _in_line(ahead, estimate, broker_down=await self._broker_is_down())

    async def expected(self, user_id: int, workloads: Sequence[Workload]) -> dict[str, Wait]:
        """What a task of each workload would wait for, were it submitted now."""
        if await self._quota.is_full(user_id):
            return {one.name: Wait("limit", f"{self._quota.full} {self._quota.remedy}") for one in workloads}
        paused = await self._pauses.all()
        workers = await self._catalogue.workers()
        broker_down = await self._broker_is_down()
        waits = {}
        for one in workloads:
            if one.name in paused:
                waits[one.name] = _paused(paused[one.name])
            elif able := _able(one.name, one.version, workers):
                due = (await self._lines.of(one.lane)).due
                before = [name for name, priority in due if priority >= 0 and name not in paused]
                estimate = await self._until_start(len(before), before, one.lane, able)
                waits[one.name] = _in_line(len(before), estimate, broker_down=broker_down)
            else:
                waits[one.name] = await self._nobody(one.name, one.version, workers)
        return waits

    async def _broker_is_down(self) -> bool:
        return await self._outbox.broker_down_for() > BROKER_DOWN_AFTER

    async def _until_start(self, ahead: int, before: Sequence[str], lane: str, able: Sequence[Worker]) -> float | None:
        """`before`: workloads of the tasks that are ahead; `able`: the workers that can take this one."""
        if ahead >= MOST_AHEAD:
            return None
        ids = {worker.id for worker in able}
        running = [run for run in (await self._lines.of(lane)).running if run.worker in ids]
        slots = sum(worker.slots.get(lane, 0) for worker in able)
        return until_start(ahead, before, running, slots, await self.usual())

    async def _nobody(self, name: str, version: int, workers: Sequence[Worker]) -> Wait:
        if not workers:
            return Wait("no_worker", "No worker is running. Start one: taskline worker")
        return Wait("no_capable_worker", await self._incapable(name, version, workers))

    async def _incapable(self, name: str, version: int, workers: Sequence[Worker]) -> str:
        if newest := max(worker.workloads.get(name, 0) for worker in workers):
            return (
                f"The running workers know version {newest} of {name}, this task needs {version}. "
                "Start one of the newer release: taskline worker"
            )
        known = await self._catalogue.get(name)
        module = known.plug_in if known else None
        if module and any(one.source.partition(":")[0] == module for worker in workers for one in worker.left_out):
            return (
                f"No running worker can run {name}: the plug-in {module} could not be loaded. "
                "The worker's log says why; mend it, and start the worker again."
            )
        where = f" where {module} is installed" if module else ""
        return f"No running worker takes {name}. Start one that does{where}: taskline worker --workloads {name}"


def _paused(pause: Pause) -> Wait:
    since = _clock_time(pause.since)
    return Wait(
        "paused",
        f"Paused by an operator since {since}. Tasks of this workload wait, and start by themselves once it is resumed.",
    )


def _in_line(ahead: int, estimate: float | None, *, broker_down: bool) -> Wait:
    position = ahead + 1 if ahead < MOST_AHEAD else None
    if broker_down:
        return Wait(
            "broker_down",
            "The queue's broker takes no wake-ups. Workers look for work by themselves meanwhile, which may take a second longer.",
            position,
            estimate,
        )
    return Wait(
        "line",
        "Next in line; starts when a worker is free."
        if position == 1
        else f"{'At least ' if position is None else ''}{ahead:,} in line before this one.",
        position,
        estimate,
    )


def _able(name: str, version: int, workers: Sequence[Worker]) -> list[Worker]:
    return [worker for worker in workers if worker.workloads.get(name, -1) >= version]


def _clock_time(at: datetime) -> str:
    """Such as "14:05:07 UTC", and the day where it is not today."""
    today = datetime.now(UTC).date()
    time = f"{at:%H:%M:%S} UTC" if at.second else f"{at:%H:%M} UTC"
    if at.date() == today:
        return time
    return f"{time} on {at.day} {at:%B}" if at.year == today.year else f"{time} on {at.day} {at:%B %Y}"
