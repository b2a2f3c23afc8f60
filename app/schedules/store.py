"""Schedules in the database. What starts a task is a move (`app.tasks.moves`); all other writes are here, each conditional."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.db import Database, Row, moment, moment_or_none
from app.errors import NotFound
from app.schedules.model import Missed, Outcome, Run, Schedule
from app.tasks.model import Fired

KEPT_RUNS: Final = 1_000  # of a schedule; older ones are forgotten
_COLUMNS: Final = "id, user_id, name, workload, params, priority, follow, at, cron, zone, missed, next_at, last_at, paused_at, created_at"
_RUN: Final = "at, outcome, task_id, missed, note"
NO_SCHEDULE: Final = "There is no such schedule."


class ScheduleStore:
    """Over either database. Every method raises `Unavailable`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def now(self) -> datetime:
        """By the clock that times are compared with."""
        return await self._db.now()

    async def get(self, user_id: int, schedule_id: UUID) -> Schedule:
        """Raises `NotFound`."""
        sql = f"SELECT {_COLUMNS} FROM schedules WHERE id = :id AND user_id = :user"
        row = await self._db.fetch_one(sql, {"id": schedule_id, "user": user_id})
        if row is None:
            raise NotFound(NO_SCHEDULE)
        return _schedule(row)

    async def all(self, user_id: int) -> list[Schedule]:
        """A user's, the newest first. There are few: `app.schedules.commands.MOST` at most."""
        sql = f"SELECT {_COLUMNS} FROM schedules WHERE user_id = :user ORDER BY id DESC"
        return [_schedule(row) for row in await self._db.fetch_all(sql, {"user": user_id})]

    async def keyed(self, user_id: int, key: str) -> tuple[UUID, bytes] | None:
        """The schedule that an idempotency key made, and the hash of the request that came with it."""
        sql = "SELECT id, body FROM schedules WHERE user_id = :user AND key = :key"
        row = await self._db.fetch_one(sql, {"user": user_id, "key": key})
        return (UUID(str(row["id"])), bytes(row["body"])) if row else None

    async def due(self, now: datetime, most: int) -> list[Schedule]:
        """Schedules of all users of which a time has come, the oldest first."""
        sql = f"SELECT {_COLUMNS} FROM schedules WHERE paused_at IS NULL AND next_at IS NOT NULL AND next_at <= :now ORDER BY next_at LIMIT :most"
        return [_schedule(row) for row in await self._db.fetch_all(sql, {"now": now, "most": most})]

    async def add(self, schedule: Schedule, key: str | None, body: bytes | None) -> bool:
        """False where the key is taken."""
        values = {**_values(schedule), "key": key, "body": body}
        names = list(values)
        sql = f"""INSERT INTO schedules ({", ".join(names)}) VALUES ({", ".join(f":{name}" for name in names)})
        ON CONFLICT DO NOTHING RETURNING id"""
        return bool(await self._db.fetch_all(sql, values))

    async def change(self, schedule: Schedule, changed: Sequence[str], *, was: Schedule) -> bool:
        """Write some columns of `schedule`. False where it has started a task since it was read as `was`, or is gone: read it again."""
        values = {name: value for name, value in _values(schedule).items() if name in changed}
        sql = f"""UPDATE schedules SET {", ".join(f"{name} = :{name}" for name in values)} WHERE id = :id AND user_id = :user
        AND coalesce(next_at, created_at) = :seen AND (paused_at IS NULL) = :going RETURNING id"""
        seen = {"seen": was.next_at or was.created_at, "going": was.paused_at is None}
        return bool(await self._db.fetch_all(sql, {**values, "id": schedule.id, "user": schedule.user_id, **seen}))

    async def delete(self, user_id: int, schedule_id: UUID) -> None:
        """With its runs; its tasks stay. Raises `NotFound`."""
        sql = "DELETE FROM schedules WHERE id = :id AND user_id = :user RETURNING id"
        if not await self._db.fetch_all(sql, {"id": schedule_id, "user": user_id}):
            raise NotFound(NO_SCHEDULE)

    async def passed(self, fired: Fired, outcome: Outcome, note: str = "") -> None:
        """A time for which no task starts: the schedule goes on to its next one."""
        advance = """UPDATE schedules SET next_at = :following, last_at = :at WHERE id = :id AND next_at = :due AND paused_at IS NULL RETURNING id"""
        keep = """INSERT INTO schedule_runs (schedule_id, at, outcome, missed, note) VALUES (:id, :at, :outcome, :missed, :note) ON CONFLICT DO NOTHING"""
        at = {"id": fired.schedule_id, "at": fired.at}
        async with self._db.transaction():
            if await self._db.fetch_all(advance, {**at, "due": fired.due, "following": fired.following}):
                await self._db.execute(keep, {**at, "outcome": outcome, "missed": fired.missed, "note": note})

    async def runs(self, schedule_id: UUID, most: int) -> list[Run]:
        """What became of its times, the newest first."""
        sql = f"SELECT {_RUN} FROM schedule_runs WHERE schedule_id = :id ORDER BY at DESC LIMIT :most"
        return [_run(row) for row in await self._db.fetch_all(sql, {"id": schedule_id, "most": most})]

    async def last_runs(self, user_id: int) -> Mapping[UUID, Run]:
        """The last run of each of a user's schedules that has had one."""
        sql = f"""SELECT s.id AS schedule_id, {", ".join(f"r.{name}" for name in _RUN.split(", "))} FROM schedules s
        JOIN schedule_runs r ON r.schedule_id = s.id AND r.at = s.last_at WHERE s.user_id = :user"""
        rows = await self._db.fetch_all(sql, {"user": user_id})
        return {UUID(str(row["schedule_id"])): _run(row) for row in rows}

    async def forget_runs(self, schedule_id: UUID) -> None:
        """All but the newest `KEPT_RUNS`."""
        sql = """DELETE FROM schedule_runs WHERE schedule_id = :id AND at <
        (SELECT at FROM schedule_runs WHERE schedule_id = :id ORDER BY at DESC LIMIT 1 OFFSET :kept)"""
        await self._db.execute(sql, {"id": schedule_id, "kept": KEPT_RUNS - 1})

    async def of_task(self, user_id: int, task_id: UUID) -> Schedule | None:
        """The schedule that has started a task, where one has and is still there."""
        sql = f"""SELECT {_COLUMNS} FROM schedules WHERE user_id = :user AND id IN (SELECT schedule_id FROM schedule_runs WHERE task_id = :task)"""
        row = await self._db.fetch_one(sql, {"user": user_id, "task": task_id})
        return _schedule(row) if row else None


def _values(schedule: Schedule) -> dict[str, Any]:
    values = {name: getattr(schedule, name) for name in _COLUMNS.split(", ")}
    follow = None if schedule.follow is None else orjson.dumps(schedule.follow).decode()
    return {
        **values,
        "missed": schedule.missed.value,
        "params": orjson.dumps(schedule.params).decode(),
        "follow": follow,
    }


def _schedule(row: Row) -> Schedule:
    instants = {name: moment_or_none(row[name]) for name in ("at", "next_at", "last_at", "paused_at")}
    read = {
        **instants,
        "id": UUID(str(row["id"])),
        "params": orjson.loads(row["params"]),
        "follow": orjson.loads(row["follow"]) if row["follow"] is not None else None,
        "missed": Missed(row["missed"]),
        "created_at": moment(row["created_at"]),
    }
    return Schedule(**{**{name: row[name] for name in _COLUMNS.split(", ")}, **read})


def _run(row: Row) -> Run:
    task_id = UUID(str(row["task_id"])) if row["task_id"] else None
    return Run(at=moment(row["at"]), outcome=row["outcome"], task_id=task_id, missed=row["missed"], note=row["note"])
