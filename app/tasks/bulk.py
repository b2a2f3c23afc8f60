"""Many tasks at once, by the commands of single ones: owners hear of each, in order. Bounded: what does not fit into one call is told, and goes on with the next."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from app.errors import Conflict, Invalid, NotFound, TooMany
from app.tasks.commands import Tasks
from app.tasks.model import TaskFilter
from app.tasks.selection import Action, Count, Order, Selection, Selections

MOST: Final = 1_000  # tasks of one call
BATCH: Final = 100  # tasks of one look, and of one statement that cancels
LONGEST: Final = 5.0  # seconds that a call begins new work for


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of an order. `changed`: tasks that were left alone since they are not what was counted any more."""

    after: UUID
    done: int = 0
    stopping: int = 0  # of those done: they ran, and were asked to stop
    refused: Counter[str] = field(default_factory=Counter)  # by reason
    stopped: str = ""  # why it did not go on
    changed: int = 0
    left: int = 0


class Bulk:
    """Counts first, then carries out what was counted."""

    def __init__(self, selections: Selections, tasks: Tasks, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._selections = selections
        self._tasks = tasks
        self._clock = clock

    async def count(self, user_id: int, selection: Selection) -> Count:
        """How many tasks these are. Raises `Unavailable`."""
        return await self._selections.count(user_id, selection)

    async def up_to(self, user_id: int, chosen: TaskFilter, most: int) -> int:
        """How many tasks a filter finds, counted up to `most`. Raises `Unavailable`."""
        return await self._selections.up_to(user_id, chosen, most)

    async def carry_out(self, user_id: int, order: Order) -> Outcome:
        """Change up to `MOST` tasks, the oldest first. The same order again, from `after` on, does what is left. Raises `Unavailable`."""
        outcome = Outcome(after=order.after)
        until, seen = self._clock() + LONGEST, 0
        while seen < MOST and not outcome.stopped and self._clock() < until:
            ids = await self._selections.following(
                user_id, replace(order, after=outcome.after), min(BATCH, MOST - seen)
            )
            if not ids:
                break
            seen += len(ids)
            if order.action is Action.CANCEL:
                await self._cancel(user_id, ids, outcome)
            else:
                await self._one_by_one(user_id, order, ids, outcome, until)
        outcome.left = await self._selections.left(user_id, replace(order, after=outcome.after))
        told = outcome.done + outcome.refused.total() + outcome.left
        outcome.changed = max(0, order.counted - told)
        return outcome

    async def _cancel(self, user_id: int, ids: Sequence[UUID], outcome: Outcome) -> None:
        events = await self._tasks.cancel_all(user_id, ids)
        outcome.done += len(events)
        outcome.stopping += sum(event.type == "task.cancelling" for event in events)
        outcome.after = ids[-1]

    async def _one_by_one(
        self, user_id: int, order: Order, ids: Sequence[UUID], outcome: Outcome, until: float
    ) -> None:
        for task_id in ids:
            if self._clock() >= until:
                return
            try:
                if order.action is Action.DELETE:
                    await self._tasks.delete(user_id, task_id)
                else:
                    # The same order again finds the task that it started before.
                    await self._tasks.retry(user_id, task_id, key=f"bulk-{order.seq}-{task_id}")
            except (NotFound, Conflict):
                pass  # it has changed this very moment
            except Invalid as error:
                outcome.refused[error.reason] += 1
            except TooMany as error:
                outcome.stopped = " ".join(filter(None, (error.detail, error.hint)))
                return
            else:
                outcome.done += 1
            outcome.after = task_id
