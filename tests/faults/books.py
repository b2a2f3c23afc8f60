"""What the database says, read by SQL of our own and in one snapshot: an oracle must not trust the code that it judges."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

_SQLITE: Final = "sqlite:///"
_TASKS: Final = (
    "SELECT id, user_id, state, attempt, errors, lost, claim, lease_until, finished_at, cancel_requested_at FROM tasks"
)
_EVENTS: Final = "SELECT user_id, seq, type, task_id FROM events ORDER BY user_id, seq"
_STREAMS: Final = "SELECT user_id, seq, floor FROM streams"
_KEYS: Final = "SELECT user_id, key, task_id FROM idempotency"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A row of `tasks`; ids are text, times only there or not."""

    id: str
    user_id: int
    state: str
    attempt: int
    errors: int
    lost: int
    claimed: bool  # has a claim or a lease
    finished: bool
    unwanted: bool = False  # a cancel was asked for


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of `events`."""

    user_id: int
    seq: int
    type: str
    task_id: str


@dataclass(slots=True)
class Books:
    """Tables as they were at one moment."""

    tasks: dict[str, TaskRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)  # by user, then seq
    streams: dict[int, tuple[int, int]] = field(default_factory=dict)  # user -> (seq, floor)
    keys: dict[tuple[int, str], str] = field(default_factory=dict)  # (user, key) -> task


async def read(database_url: str) -> Books:
    """Read the books of a deployment."""
    if database_url.startswith(_SQLITE):
        return _books(*await asyncio.to_thread(_of_sqlite, Path(database_url.removeprefix(_SQLITE))))
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            tables = [await connection.fetch(sql) for sql in (_TASKS, _EVENTS, _STREAMS, _KEYS)]
    finally:
        await connection.close()
    return _books(*tables)


def _of_sqlite(path: Path) -> list[list[Any]]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        connection.execute("BEGIN")
        return [connection.execute(sql).fetchall() for sql in (_TASKS, _EVENTS, _STREAMS, _KEYS)]


def _books(tasks: Sequence[Any], events: Sequence[Any], streams: Sequence[Any], keys: Sequence[Any]) -> Books:
    rows = [
        TaskRow(
            str(UUID(str(row[0]))),
            row[1],
            row[2],
            row[3],
            row[4],
            row[5],
            (row[6] or row[7]) is not None,
            row[8] is not None,
            row[9] is not None,
        )
        for row in tasks
    ]
    return Books(
        tasks={row.id: row for row in rows},
        events=[EventRow(row[0], row[1], row[2], str(UUID(str(row[3])))) for row in events],
        streams={row[0]: (row[1], row[2]) for row in streams},
        keys={(row[0], row[1]): str(UUID(str(row[2]))) for row in keys},
    )
