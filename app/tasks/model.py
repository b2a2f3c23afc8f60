"""Tasks and what happens to them, as values. Pure: nothing here does I/O."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.tasks.states import State

LONGEST_NAME = 200  # characters

_last_ms = 0
_counter = 0


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by time, and within a process strictly so, by a counter in the 12 bits after the time."""
    global _last_ms, _counter  # noqa: PLW0603  the order of a process is state of the process
    now = time.time_ns() // 1_000_000
    if now <= _last_ms:
        _counter += 1
        if _counter > 0xFFF:
            _last_ms, _counter = _last_ms + 1, 0
    else:
        _last_ms, _counter = now, 0
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=(_last_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | _counter << 64 | 0b10 << 62 | tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as its owner sees it. `params`, `result` and `artifacts` are empty where only a card was read."""

    id: UUID
    user_id: int
    name: str
    workload: str
    version: int
    lane: str
    state: State
    attempt: int
    max_attempts: int
    priority: int
    progress_fraction: float | None
    progress_message: str
    summary: str | None
    error: Mapping[str, Any] | None
    retry_of: UUID | None
    cancel_requested_at: datetime | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    params: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    artifacts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A task to accept. `key` and `body` (SHA-256 of the request) make a repeated request find the same task."""

    id: UUID
    user_id: int
    name: str
    workload: str
    version: int
    lane: str
    params: str  # JSON text
    max_attempts: int
    priority: int = 0
    run_at: datetime | None = None
    retry_of: UUID | None = None
    key: str | None = None
    body: bytes | None = None
    follow: str | None = None  # JSON text: what its success starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A time of a schedule, which starts one task at most."""

    schedule_id: UUID
    due: datetime  # what the schedule had as its next time
    at: datetime  # the time that the task is for: the newest that has come
    following: datetime | None  # the schedule's next time after that
    missed: int = 0  # times since `due` for which nothing starts


@dataclass(frozen=True, slots=True)
class Followed:
    """The success of a task, which starts one other at most."""

    task_id: UUID


Cause = Fired | Followed


@dataclass(frozen=True, slots=True)
class Event:
    """One committed step of a task. `task` is the card as JSON text, as it was at that moment; `origin` the table that has it, where the database tells."""

    user_id: int
    seq: int
    at: datetime
    type: str
    task_id: UUID
    task: str
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A task that this worker may run, under `token`, until the lease ends."""

    id: UUID
    user_id: int
    workload: str
    version: int
    attempt: int
    lost: int  # workers that have died under this task
    params: Mapping[str, Any]
    token: UUID
    event: Event


# "crashed": the process of its own that ran it died.
Verdict = Literal["succeeded", "failed", "retry", "crashed", "cancelled", "released"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended. The store decides what becomes of the task: a cancel that was asked for turns a retry into `cancelled`."""

    id: UUID
    attempt: int
    token: UUID
    verdict: Verdict
    retry_after: float = 0.0  # seconds until the next attempt, where there is one
    summary: str | None = None
    result: str | None = None  # JSON text
    error: str | None = None  # JSON text
    artifacts: str | None = None  # JSON text


@dataclass(frozen=True, slots=True)
class Mark:
    """Progress to keep: what a page shows that opens now."""

    id: UUID
    token: UUID
    fraction: float | None
    message: str


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Lines of an attempt's log, from its `first` to its `last`, as JSON text of `{"at", "level", "text"}`."""

    id: UUID
    attempt: int
    token: UUID
    first: int
    last: int
    lines: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks to list; None means any."""

    state: State | None = None
    workload: str | None = None
    q: str | None = None  # text that the name contains


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks, the newest first, and the cursor of what follows (None at the end)."""

    items: list[Task]
    next: str | None
