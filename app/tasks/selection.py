"""Which of somebody's tasks are meant at once: those that were picked, or all that a filter finds; and how many of them an action can change."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from app.db import Database
from app.tasks.log import TaskLog
from app.tasks.model import TaskFilter
from app.tasks.states import State
from app.tasks.store import matching

FIRST: Final = UUID(int=0)  # before every task
CANCELLING: Final = "cancelling"  # beside the states: running, and asked to stop


class Action(StrEnum):
    """What can be done with many tasks at once."""

    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"

    @property
    def takes(self) -> frozenset[str]:
        """The states that it changes."""
        ended = frozenset(state.value for state in State if state.terminal)
        return frozenset({State.QUEUED.value, State.RUNNING.value}) if self is Action.CANCEL else ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The tasks of `ids`, else all that `chosen` finds."""

    ids: tuple[UUID, ...] | None = None
    chosen: TaskFilter = field(default_factory=TaskFilter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do with what was counted. Tasks of which the owner's log tells anything after `seq` have changed since, and are left alone."""

    action: Action
    selection: Selection
    seq: int
    counted: int  # tasks that it was said to change
    after: UUID = FIRST  # it goes on behind this task


@dataclass(frozen=True, slots=True)
class Count:
    """How many tasks there are by state, and where the owner's log stood then."""

    seq: int
    states: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.states.values())

    def able(self, action: Action) -> int:
        """Those that `action` changes."""
        return sum(number for state, number in self.states.items() if state in action.takes)


class Selections:
    """Reads over either database. Every method raises `Unavailable`."""

    def __init__(self, db: Database, log: TaskLog) -> None:
        self._db = db
        self._log = log

    async def count(self, user_id: int, selection: Selection) -> Count:
        """All of it, exactly."""
        where, values = _where(user_id, selection)
        sql = f"SELECT state, cancel_requested_at IS NOT NULL AS asked, count(*) AS number FROM tasks WHERE {where} GROUP BY 1, 2"
        states: Counter[str] = Counter()
        async with self._db.snapshot():
            position = await self._log.position(user_id)
            for row in await self._db.fetch_all(sql, values):
                asked = row["state"] == State.RUNNING and row["asked"]
                states[CANCELLING if asked else row["state"]] += row["number"]
        return Count(position.seq, states)

    async def up_to(self, user_id: int, chosen: TaskFilter, most: int) -> int:
        """How many tasks a filter finds, counted up to `most`."""
        where, values = _where(user_id, Selection(chosen=chosen))
        sql = f"SELECT count(*) FROM (SELECT 1 FROM tasks WHERE {where} LIMIT :most) found"
        return int(await self._db.fetch_val(sql, {**values, "most": most}))

    async def following(self, user_id: int, order: Order, limit: int) -> list[UUID]:
        """The oldest tasks that the order still changes."""
        where, values = _still(user_id, order)
        rows = await self._db.fetch_all(
            f"SELECT id FROM tasks WHERE {where} ORDER BY id LIMIT :limit", {**values, "limit": limit}
        )
        return [UUID(str(row["id"])) for row in rows]

    async def left(self, user_id: int, order: Order) -> int:
        """How many tasks the order still changes."""
        where, values = _still(user_id, order)
        return int(await self._db.fetch_val(f"SELECT count(*) FROM tasks WHERE {where}", values))


def _still(user_id: int, order: Order) -> tuple[str, dict[str, Any]]:
    where, values = _where(user_id, order.selection)
    states = ", ".join(f"'{state}'" for state in sorted(order.action.takes))
    parts = [
        where,
        f"state IN ({states})",
        "id > :after",
        "id NOT IN (SELECT task_id FROM events WHERE user_id = :user AND seq > :seq)",
        *(["cancel_requested_at IS NULL"] if order.action is Action.CANCEL else []),
    ]
    return " AND ".join(parts), {**values, "after": order.after, "seq": order.seq}


def _where(user_id: int, selection: Selection) -> tuple[str, dict[str, Any]]:
    if selection.ids is None:
        where, values = matching(user_id, selection.chosen)
        return " AND ".join(where), values
    if not selection.ids:
        return "1 = 0", {"user": user_id}
    named = {f"id{at}": one for at, one in enumerate(selection.ids)}
    listed = ", ".join(f":{name}" for name in named)
    return f"user_id = :user AND id IN ({listed})", {"user": user_id, **named}
