"""What follows on tasks, in the database. A row is made with its task and stays with it; what starts the next task is a move (`app.tasks.moves`)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import orjson

from app.db import NOW, Database, Row
from app.tasks.chain_plans import Plan
from app.tasks.states import TERMINAL_SQL, State

Outcome = Literal["started", "refused", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What follows on a task. `outcome` is None while it waits for the task's end."""

    task_id: UUID
    user_id: int
    plan: Plan
    outcome: Outcome | None
    next_task_id: UUID | None
    note: str  # why it has not started

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            **{name: self.plan.get(name) for name in ("workload", "params", "name", "priority", "then")},
            "outcome": self.outcome,
            "task_id": self.next_task_id,
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that has ended, on which something follows."""

    task_id: UUID
    user_id: int
    state: State
    plan: Plan


class Chains:
    """Over either database. Every method raises `Unavailable`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, user_id: int, task_id: UUID) -> FollowUp | None:
        """What follows on a task."""
        sql = "SELECT task_id, user_id, plan, outcome, next_task_id, note FROM follow_ups WHERE task_id = :task AND user_id = :user"
        row = await self._db.fetch_one(sql, {"task": task_id, "user": user_id})
        return _follow_up(row) if row else None

    async def before(self, user_id: int, task_id: UUID) -> UUID | None:
        """The task on whose success this one has started, while it is there."""
        sql = "SELECT task_id FROM follow_ups WHERE next_task_id = :task AND user_id = :user"
        row = await self._db.fetch_one(sql, {"task": task_id, "user": user_id})
        return UUID(str(row["task_id"])) if row else None

    async def ended(self, after: UUID, most: int) -> tuple[list[Ended], UUID | None]:
        """Looks at `most` of what waits, from the task `after` on: which of the tasks have ended, and where to look on; None at the end."""
        sql = f"""SELECT f.task_id, t.user_id, t.state, CASE WHEN t.state IN {TERMINAL_SQL} AND (f.taken_until IS NULL OR f.taken_until < {NOW}) THEN f.plan END AS plan
        FROM (SELECT task_id, plan, taken_until FROM follow_ups WHERE outcome IS NULL AND task_id > :after ORDER BY task_id LIMIT :most) f
        JOIN tasks t ON t.id = f.task_id ORDER BY f.task_id"""
        rows = await self._db.fetch_all(sql, {"after": after, "most": most})
        found = [
            Ended(UUID(str(row["task_id"])), row["user_id"], State(row["state"]), orjson.loads(row["plan"]))
            for row in rows
            if row["plan"] is not None
        ]
        return found, (UUID(str(rows[-1]["task_id"])) if len(rows) == most else None)

    async def take(self, task_id: UUID, lease: timedelta) -> bool:
        """Whether the caller is the one to bring this to an end, for as long as `lease`: spares others the work, and decides nothing."""
        now = await self._db.now()
        sql = """UPDATE follow_ups SET taken_until = :until WHERE task_id = :task AND outcome IS NULL AND (taken_until IS NULL OR taken_until < :now)
        RETURNING task_id"""
        return bool(await self._db.fetch_all(sql, {"task": task_id, "now": now, "until": now + lease}))

    async def put_off(self, task_id: UUID, by: timedelta, note: str = "") -> None:
        """Let nobody else try for a while; the note says why nobody does."""
        until = await self._db.now() + by
        sql = "UPDATE follow_ups SET taken_until = :until, note = :note WHERE task_id = :task AND outcome IS NULL"
        await self._db.execute(sql, {"task": task_id, "until": until, "note": note})

    async def close(self, task_id: UUID, outcome: Outcome, note: str) -> None:
        """It starts nothing: the task did not succeed (`dropped`), or the next one was `refused`."""
        sql = "UPDATE follow_ups SET outcome = :outcome, note = :note, taken_until = NULL WHERE task_id = :task AND outcome IS NULL"
        await self._db.execute(sql, {"task": task_id, "outcome": outcome, "note": note})


def _follow_up(row: Row) -> FollowUp:
    return FollowUp(
        task_id=UUID(str(row["task_id"])),
        user_id=row["user_id"],
        plan=orjson.loads(row["plan"]),
        outcome=row["outcome"],
        next_task_id=UUID(str(row["next_task_id"])) if row["next_task_id"] else None,
        note=row["note"],
    )
