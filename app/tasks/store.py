"""Reading tasks. Every read is one user's; another user's task is not found."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from app.db import NOW, Database
from app.errors import Invalid, NotFound
from app.tasks.log import TaskLog
from app.tasks.model import Page, Task, TaskFilter
from app.tasks.pauses import unless
from app.tasks.rows import ALL_COLUMNS, CARD_COLUMNS, task_of
from app.tasks.run_log import START, Line, read_log
from app.tasks.states import TERMINAL_SQL

MOST_ACTIVE: Final = 50
MOST_FINISHED: Final = 20
MOST_AHEAD: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What the home page shows, and where the event log stood at that moment: live updates go on from there without a gap."""

    epoch: str
    seq: int
    active: list[Task]  # waiting and running, the newest first
    finished: list[Task]


class TaskStore:
    """Reads over either database."""

    def __init__(self, db: Database, log: TaskLog) -> None:
        self._db = db
        self._log = log

    async def get(self, user_id: int, task_id: UUID) -> Task:
        """The whole task. Raises `NotFound`."""
        row = await self._db.fetch_one(
            f"SELECT {ALL_COLUMNS} FROM tasks WHERE id = :id AND user_id = :user", {"id": task_id, "user": user_id}
        )
        if row is None:
            raise NotFound("There is no such task.")
        return task_of(row)

    async def lines(self, user_id: int, task_id: UUID, after: tuple[int, int] = START) -> list[Line]:
        """What the task's attempts have written to its log behind the place `after`. Raises `NotFound`."""
        return await read_log(self._db, user_id, task_id, after)

    async def page(self, user_id: int, chosen: TaskFilter, limit: int, cursor: str | None = None) -> Page:
        """Up to `limit` cards, the newest first, after `cursor`. Raises `Invalid` for a cursor that is none."""
        where, values = matching(user_id, chosen)
        if cursor is not None:
            where.append("id < :cursor")
            values["cursor"] = _cursor(cursor)
        values["limit"] = limit + 1
        rows = await self._db.fetch_all(
            f"SELECT {CARD_COLUMNS} FROM tasks WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT :limit", values
        )
        return Page([task_of(row) for row in rows[:limit]], str(rows[limit - 1]["id"]) if len(rows) > limit else None)

    async def home(self, user_id: int) -> Home:
        """One snapshot of what is active, what finished lately, and the log's position."""
        async with self._db.snapshot():
            position = await self._log.position(user_id)
            # One by one, since each state has its index: both at once would be looked for among all tasks that the user ever had.
            active = [
                *await self._of(user_id, "state = 'queued'", MOST_ACTIVE),
                *await self._of(user_id, "state = 'running'", MOST_ACTIVE),
            ]
            active = sorted(active, key=lambda task: task.id, reverse=True)[:MOST_ACTIVE]
            finished = await self._of(user_id, f"state IN {TERMINAL_SQL}", MOST_FINISHED)
        return Home(epoch=position.epoch, seq=position.seq, active=active, finished=finished)

    async def repeated(self, user_id: int, key: str) -> tuple[UUID, bytes] | None:
        """The task that an idempotency key made, and the hash of the request that came with it."""
        sql = "SELECT task_id, body FROM idempotency WHERE user_id = :user AND key = :key"
        row = await self._db.fetch_one(sql, {"user": user_id, "key": key})
        return (UUID(str(row["task_id"])), bytes(row["body"])) if row else None

    async def last_workload(self, user_id: int) -> str | None:
        """Of the task that the user started last; what a chain started was not chosen."""
        sql = """SELECT workload FROM tasks WHERE user_id = :user AND NOT EXISTS (SELECT 1 FROM follow_ups WHERE next_task_id = tasks.id)
        ORDER BY id DESC LIMIT 1"""
        row = await self._db.fetch_one(sql, {"user": user_id})
        return row["workload"] if row else None

    async def waiting(self, user_id: int, most: int) -> int:
        """How many of the user's tasks are queued, counted up to `most`."""
        sql = (
            "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE user_id = :user AND state = 'queued' LIMIT :most) waiting"
        )
        return int(await self._db.fetch_val(sql, {"user": user_id, "most": most}))

    async def active(self) -> dict[tuple[str, str], int]:
        """How many tasks of all users wait and run, by lane and state."""
        rows = await self._db.fetch_all(
            """SELECT lane, state, count(*) AS number FROM tasks WHERE state = 'queued' AND run_at <= created_at GROUP BY lane, state
            UNION ALL SELECT lane, state, count(*) FROM tasks WHERE state = 'queued' AND run_at > created_at GROUP BY lane, state
            UNION ALL SELECT lane, state, count(*) FROM tasks WHERE state = 'running' GROUP BY lane, state"""
        )
        numbers: Counter[tuple[str, str]] = Counter()
        for row in rows:
            numbers[row["lane"], row["state"]] += row["number"]
        return dict(numbers)

    async def ahead(self, task: Task, *, without: Collection[str] = ()) -> int | None:
        """How many due tasks of the same lane a worker would take before `task`, but those of the workloads in `without`, counted up to `MOST_AHEAD`.

        None while it is not due, by the database's clock.
        """
        not_due = f"SELECT 1 FROM tasks WHERE id = :id AND run_at > {NOW}"
        if await self._db.fetch_one(not_due, {"id": task.id}):
            return None
        others, names = unless(without)
        queued = f"SELECT 1 FROM tasks WHERE state = 'queued' AND lane = :lane{others}"
        same = "priority = :priority AND (rank, id) < ((SELECT rank FROM tasks WHERE id = :id), :id)"
        # Each part is a range of an index.
        sql = f"""SELECT count(*) FROM (
        SELECT 1 FROM ({queued} AND run_at <= created_at AND priority > :priority LIMIT :most) a
        UNION ALL SELECT 1 FROM ({queued} AND run_at <= created_at AND {same} LIMIT :most) b
        UNION ALL SELECT 1 FROM ({queued} AND run_at > created_at AND run_at <= {NOW} AND (priority > :priority OR ({same})) LIMIT :most) c
        LIMIT :most) counted"""
        values = {"lane": task.lane, "priority": task.priority, "id": task.id, "most": MOST_AHEAD, **names}
        return int(await self._db.fetch_val(sql, values))

    async def _of(self, user_id: int, condition: str, limit: int) -> list[Task]:
        rows = await self._db.fetch_all(
            f"SELECT {CARD_COLUMNS} FROM tasks WHERE user_id = :user AND {condition} ORDER BY id DESC LIMIT :limit",
            {"user": user_id, "limit": limit},
        )
        return [task_of(row) for row in rows]


def matching(user_id: int, chosen: TaskFilter) -> tuple[list[str], dict[str, Any]]:
    """The conditions of a filter, and their values."""
    where, values = ["user_id = :user"], {"user": user_id}
    parts: Sequence[tuple[str, str, Any]] = (
        ("state = :state", "state", chosen.state.value if chosen.state else None),
        ("workload = :workload", "workload", chosen.workload),
        ("lower(name) LIKE lower(:q) ESCAPE '!'", "q", _contains(chosen.q) if chosen.q else None),
    )
    for condition, name, value in parts:
        if value is not None:
            where.append(condition)
            values[name] = value
    return where, values


def _contains(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"


def _cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid(fields={"cursor": "is not one that this service gave"}) from None
