"""Schedules and their runs, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal
from uuid import UUID

from app.schedules.times import Recurrence, zone_of

Outcome = Literal["started", "skipped", "refused"]
MOST_UPCOMING: Final = 5  # times that are shown


class Missed(StrEnum):
    """What to do about times at which nothing could start: nothing, or start one task for all of them."""

    SKIP = "skip"
    RUN_ONCE = "run_once"


class Phase(StrEnum):
    """Where a schedule is in its life. An ended one has no next time."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a time of a schedule. `missed`: times before it for which nothing has started."""

    at: datetime
    outcome: Outcome
    task_id: UUID | None
    missed: int
    note: str  # why it was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What starts when. Either `at` or `cron` is given."""

    id: UUID
    user_id: int
    name: str
    workload: str
    params: Mapping[str, Any] = field(default_factory=dict)
    priority: int
    follow: Mapping[str, Any] | None  # what starts on the success of each task, as JSON has it
    at: datetime | None
    cron: str | None
    zone: str
    missed: Missed
    next_at: datetime | None
    last_at: datetime | None
    paused_at: datetime | None
    created_at: datetime

    @property
    def phase(self) -> Phase:
        if self.next_at is None:
            return Phase.ENDED
        return Phase.ACTIVE if self.paused_at is None else Phase.PAUSED

    @property
    def recurrence(self) -> Recurrence | None:
        """None for a schedule with a single time."""
        return None if self.cron is None else Recurrence(self.cron, zone_of(self.zone))

    def upcoming(self) -> list[datetime]:
        """The next times, in UTC; none while it is paused."""
        if self.next_at is None or self.paused_at is not None:
            return []
        recurrence = self.recurrence
        return [self.next_at, *(recurrence.upcoming(self.next_at, MOST_UPCOMING - 1) if recurrence else [])]


def document(schedule: Schedule, last: Run | None) -> dict[str, Any]:
    """What the outside sees of a schedule, as JSON."""
    names = ("id", "name", "workload", "params", "priority", "at", "cron", "zone", "missed", "created_at")
    recurrence = schedule.recurrence
    return {
        **{name: getattr(schedule, name) for name in names},
        "then": schedule.follow,
        "state": schedule.phase,
        "words": recurrence.words() if recurrence else None,
        "next": schedule.upcoming(),
        "last": run_document(last) if last else None,
        "links": {"self": f"/api/v1/schedules/{schedule.id}", "page": "/schedules"},
    }


def run_document(run: Run) -> dict[str, Any]:
    """What the outside sees of a run, as JSON."""
    return {
        "at": run.at,
        "outcome": run.outcome,
        "task_id": run.task_id,
        "missed": run.missed,
        "note": run.note or None,
    }
