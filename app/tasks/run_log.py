"""The lines that a task's attempts wrote: stored in pieces while it runs, the last of each attempt kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import orjson

from app.db import Database
from app.errors import NotFound

MOST_LINES: Final = 1_000  # of an attempt: its last ones
MOST_ATTEMPTS: Final = 10  # of a task: its newest ones
START: Final = (0, 0)  # before the first line of the first attempt

# Only what still holds its claim writes. A piece may come twice, then with more lines: its first answer was not heard. In one statement too, which
# PostgreSQL lets write a row only once.
WRITE_POSTGRESQL: Final = f"""
WITH i AS (SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[]) AS i(id, attempt, claim, first, last, lines)),
old AS (DELETE FROM log_pieces p USING i WHERE p.task_id = i.id
  AND ((p.attempt = i.attempt AND p.last <= i.last - {MOST_LINES}) OR p.attempt <= i.attempt - {MOST_ATTEMPTS}))
INSERT INTO log_pieces AS p (task_id, attempt, first, last, lines)
  SELECT DISTINCT ON (i.id, i.attempt, i.first) i.id, i.attempt, i.first, i.last, i.lines
  FROM i JOIN tasks t ON t.id = i.id AND t.attempt = i.attempt AND t.claim = i.claim ORDER BY i.id, i.attempt, i.first, i.last DESC
ON CONFLICT (task_id, attempt, first) DO UPDATE SET last = excluded.last, lines = excluded.lines WHERE excluded.last > p.last"""
_GIVEN: Final = """(SELECT value->>'id' AS id, value->>'attempt' AS attempt, value->>'token' AS claim, value->>'first' AS first, value->>'last' AS last,
  value->>'lines' AS lines FROM json_each(?1))"""
WRITE_SQLITE: Final = (
    f"""INSERT INTO log_pieces (task_id, attempt, first, last, lines)
  SELECT i.id, i.attempt, i.first, i.last, i.lines FROM {_GIVEN} i JOIN tasks t ON t.id = i.id AND t.attempt = i.attempt AND t.claim = i.claim WHERE true
  ON CONFLICT (task_id, attempt, first) DO UPDATE SET last = excluded.last, lines = excluded.lines WHERE excluded.last > log_pieces.last""",
    f"""DELETE FROM log_pieces WHERE task_id IN (SELECT id FROM {_GIVEN}) AND EXISTS (SELECT 1 FROM {_GIVEN} i WHERE log_pieces.task_id = i.id
  AND ((log_pieces.attempt = i.attempt AND log_pieces.last <= i.last - {MOST_LINES}) OR log_pieces.attempt <= i.attempt - {MOST_ATTEMPTS}))""",
)
_READ: Final = """SELECT p.attempt, p.first, p.lines FROM tasks t LEFT JOIN log_pieces p ON p.task_id = t.id
AND (p.attempt > :attempt OR (p.attempt = :attempt AND p.last > :number))
WHERE t.id = :id AND t.user_id = :user ORDER BY p.attempt, p.first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an attempt's log; `number` counts from 1 within it. `at` is RFC 3339 UTC."""

    attempt: int
    number: int
    at: str
    level: str
    text: str

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in the task's log."""
        return self.attempt, self.number


async def read_log(db: Database, user_id: int, task_id: UUID, after: tuple[int, int] = START) -> list[Line]:
    """The kept lines behind `after`, in order: the last of each attempt. Raises `NotFound`."""
    attempt, number = after
    rows = await db.fetch_all(_READ, {"id": task_id, "user": user_id, "attempt": attempt, "number": number})
    if not rows:
        raise NotFound("There is no such task.")
    found = (line for row in rows if row["lines"] is not None for line in _lines(row))
    return [line for line in _kept(found) if line.place > after]


def _lines(row: Any) -> Iterator[Line]:
    for number, one in enumerate(orjson.loads(row["lines"]), row["first"]):
        yield Line(attempt=row["attempt"], number=number, at=one["at"], level=one["level"], text=one["text"])


def _kept(lines: Iterable[Line]) -> Iterator[Line]:
    for _, group in groupby(lines, key=lambda line: line.attempt):
        # Pieces overlap where a worker wrote one again after it had forgotten the first lines of it.
        known = {line.number: line for line in group}
        yield from [known[number] for number in sorted(known)][-MOST_LINES:]
