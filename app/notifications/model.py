"""How far somebody has read, and the ends of tasks to read, as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.tasks.model import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far somebody has read: one moment of their log, so that of two readings the later one has no smaller number in it."""

    seq: int = 0  # all up to here is read
    head: int = 0  # where the log stood
    unread: int = 0  # ends between the two; `MOST_COUNTED` stands for that many or more
    muted: tuple[str, ...] = ()  # workloads whose ends are none to read

    def document(self) -> dict[str, Any]:
        """The reading in JSON."""
        return {"seq": self.seq, "head": self.head, "unread": self.unread, "muted": self.muted}


@dataclass(frozen=True, slots=True)
class Notice:
    """The end of a task that is still there. `seq` and `at` are those of the event that tells of it."""

    seq: int
    at: datetime
    task: Task
    unread: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Notices, the newest first; `next` is the `before` of the following page, None at the end."""

    items: list[Notice]
    next: int | None
