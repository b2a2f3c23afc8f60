"""What people do with schedules. Pages and REST call these."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from app.errors import Conflict, Invalid, Refused
from app.schedules.model import Missed, Run, Schedule
from app.schedules.store import ScheduleStore
from app.schedules.times import FOREVER, Recurrence, zone_of
from app.tasks.commands import Submission, Tasks
from app.tasks.model import new_id

MOST: Final = 100  # schedules of a user
MOST_RUNS: Final = 200  # that are shown
TRIES: Final = 5  # to change a schedule between two of its times
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WHEN: Final = {"at", "cron", "zone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a person asks for: either `at` or `cron`. `key` is the idempotency key."""

    workload: str
    params: Mapping[str, Any]
    name: str | None = None
    priority: int = 0
    then: Mapping[str, Any] | None = None
    at: datetime | None = None
    cron: str | None = None
    zone: str = "UTC"
    missed: Missed = Missed.RUN_ONCE
    key: str | None = None


class Schedules:
    """The commands. Every one raises `Unavailable`."""

    def __init__(self, store: ScheduleStore, tasks: Tasks) -> None:
        self._store = store
        self._tasks = tasks

    async def create(self, user_id: int, plan: Plan) -> Schedule:
        """Raises `Invalid`, with the fields that are wrong; `Refused` for one too many. The same key finds the schedule that it made, while it is there."""
        if plan.key is not None and (found := await self._repeated(user_id, plan)):
            return found
        now = await self._store.now()
        if problems := await self.problems(user_id, plan, now):
            raise Invalid(fields=problems)
        if len(await self._store.all(user_id)) >= MOST:
            raise Refused(f"You have {MOST} schedules, the most at once.", hint="Delete one that you need no more.")
        schedule = Schedule(
            id=new_id(),
            user_id=user_id,
            name=await self._tasks.name_of(_submission(plan)),
            workload=plan.workload,
            params=plan.params,
            priority=plan.priority,
            follow=plan.then,
            at=plan.at,
            cron=plan.cron and " ".join(plan.cron.split()),
            zone=plan.zone,
            missed=plan.missed,
            next_at=plan.at,
            last_at=None,
            paused_at=None,
            created_at=now,
        )
        schedule = replace(schedule, next_at=_following(schedule, now))
        if await self._store.add(schedule, plan.key, _fingerprint(plan) if plan.key else None):
            return schedule
        found = await self._repeated(user_id, plan)
        if found is None:
            raise Conflict("The schedule of this key was deleted meanwhile.")
        return found

    async def change(self, user_id: int, schedule_id: UUID, changes: Mapping[str, Any]) -> Schedule:
        """Change some fields of a schedule (as `Plan` names them), or `paused`. Raises `NotFound`, `Invalid`, `Conflict`."""
        for _ in range(TRIES):
            was = await self._store.get(user_id, schedule_id)
            now = await self._store.now()
            schedule = await self._changed(was, changes, now)
            columns = {"then": "follow", "paused": "paused_at"}
            written = {columns.get(name, name) for name in changes} | {"next_at"}
            if _WHEN & changes.keys():
                written |= _WHEN
            if await self._store.change(schedule, sorted(written), was=was):
                return schedule
        raise Conflict("The schedule changes faster than it can be changed.", hint="Pause it first.")

    async def delete(self, user_id: int, schedule_id: UUID) -> None:
        """It starts nothing any more; what it has started stays. Raises `NotFound`."""
        await self._store.delete(user_id, schedule_id)

    async def get(self, user_id: int, schedule_id: UUID) -> tuple[Schedule, Run | None]:
        """A schedule and its last run. Raises `NotFound`."""
        schedule = await self._store.get(user_id, schedule_id)
        runs = await self._store.runs(schedule_id, 1)
        return schedule, (runs[0] if runs else None)

    async def all(self, user_id: int) -> list[tuple[Schedule, Run | None]]:
        """All of a user's, the newest first, each with its last run."""
        schedules, runs = await self._store.all(user_id), await self._store.last_runs(user_id)
        return [(one, runs.get(one.id)) for one in schedules]

    async def runs(self, user_id: int, schedule_id: UUID, most: int) -> list[Run]:
        """What became of its times, the newest first. Raises `NotFound`."""
        await self._store.get(user_id, schedule_id)
        return await self._store.runs(schedule_id, most)

    async def problems(self, user_id: int, plan: Plan, now: datetime | None = None) -> dict[str, str]:
        """What is wrong with a plan, by field."""
        problems = await self._tasks.problems(user_id, _submission(plan))
        return {**problems, **_mistimed(plan, now or await self._store.now())}

    async def _repeated(self, user_id: int, plan: Plan) -> Schedule | None:
        found = await self._store.keyed(user_id, plan.key or "")
        if found is None:
            return None
        schedule_id, body = found
        if body != _fingerprint(plan):
            raise Invalid(
                "This idempotency key came with another request before.",
                fields={"Idempotency-Key": "was used for another request"},
            )
        return await self._store.get(user_id, schedule_id)

    async def _changed(self, was: Schedule, changes: Mapping[str, Any], now: datetime) -> Schedule:
        retimed = bool({"at", "cron"} & changes.keys())  # one takes the other's place
        plan = Plan(
            workload=was.workload,
            params=changes.get("params", was.params),
            name=changes.get("name", was.name),
            priority=changes.get("priority", was.priority),
            then=changes.get("then", was.follow),
            zone=changes.get("zone", was.zone),
            missed=changes.get("missed", was.missed),
            at=changes.get("at") if retimed else was.at,
            cron=changes.get("cron") if retimed else was.cron,
        )
        moved = bool(_WHEN & changes.keys())
        if problems := await self.problems(was.user_id, plan, now if moved else LONG_AGO):
            raise Invalid(fields=problems)
        paused = changes.get("paused", was.paused_at is not None)
        schedule = replace(
            was,
            params=plan.params,
            name=(plan.name or was.name).strip(),
            priority=plan.priority,
            follow=plan.then,
            at=plan.at,
            cron=plan.cron and " ".join(plan.cron.split()),
            zone=plan.zone,
            missed=plan.missed,
            paused_at=(was.paused_at or now) if paused else None,
        )
        resumed = was.paused_at is not None and not paused
        # What a paused schedule would have started was not missed. A single time that has passed meanwhile was.
        if moved or (resumed and schedule.cron is not None):
            return replace(schedule, next_at=_following(schedule, now))
        return schedule


def _following(schedule: Schedule, now: datetime) -> datetime | None:
    """Never a time that it was started for, though a clock went back."""
    if (recurrence := schedule.recurrence) is None:
        return schedule.at
    return recurrence.after(max(now, schedule.last_at or now))


def _mistimed(plan: Plan, now: datetime) -> dict[str, str]:
    if (plan.at is None) == (plan.cron is None):
        return {"cron": "is required, or at: one of the two"}
    try:
        zone = zone_of(plan.zone)
    except ValueError as error:
        return {"zone": str(error)}
    if plan.cron is not None:
        try:
            Recurrence.of(plan.cron, zone)
        except ValueError as error:
            return {"cron": str(error)}
    elif plan.at is not None and not now - timedelta(minutes=1) <= plan.at < FOREVER:
        return {"at": "has passed" if plan.at < FOREVER else "is too far away"}
    return {}


def _submission(plan: Plan) -> Submission:
    return Submission(
        workload=plan.workload,
        params=plan.params,
        name=plan.name,
        priority=plan.priority,
        then=plan.then,
        key=plan.key,
    )


def _fingerprint(plan: Plan) -> bytes:
    asked = [getattr(plan, name) for name in Plan.__slots__ if name != "key"]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()
