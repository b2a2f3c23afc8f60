"""What a worker does when the time of a schedule has come."""

from datetime import datetime

from app.errors import Refused
from app.schedules.model import Missed, Schedule
from app.schedules.store import ScheduleStore
from app.schedules.times import turn
from app.tasks.commands import Submission, Tasks
from app.tasks.model import Fired


class Firing:
    """Starts tasks of schedules."""

    def __init__(self, store: ScheduleStore, tasks: Tasks) -> None:
        self._store = store
        self._tasks = tasks

    async def fire(self, schedule: Schedule, now: datetime) -> None:
        """A time of the schedule has come: start its task, or note why none starts. Whoever does this at the same time, one task starts at most."""
        if schedule.next_at is None:
            return
        what = turn(schedule.next_at, now, schedule.recurrence, make_up=schedule.missed is Missed.RUN_ONCE)
        fired = Fired(
            schedule_id=schedule.id,
            due=schedule.next_at,
            at=what.at,
            following=what.following,
            missed=what.missed,
        )
        if not what.starts:
            await self._store.passed(fired, "skipped")
            return
        submission = Submission(
            workload=schedule.workload,
            params=schedule.params,
            name=schedule.name,
            priority=schedule.priority,
            then=schedule.follow,
        )
        try:
            await self._tasks.start(schedule.user_id, submission, fired)
        except Refused as error:
            await self._store.passed(fired, "refused", error.reason)
        await self._store.forget_runs(schedule.id)
