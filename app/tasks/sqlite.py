"""The moves on SQLite: `BEGIN IMMEDIATE`, the same guarded statements over whole batches (as JSON), the events, COMMIT.

There are no data-modifying CTEs here; the one writer makes the transaction as atomic as PostgreSQL's single statement.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import orjson

from app.db import SqliteDatabase
from app.db.sqlite import Run
from app.tasks.model import Cause, Claim, Draft, Ending, Event, LogPiece, Mark
from app.tasks.retry import LONGEST, LOST_ERROR, MOST_LOST
from app.tasks.rows import claim_of
from app.tasks.run_log import WRITE_SQLITE
from app.tasks.sqlite_events import append, batch, text
from app.tasks.sqlite_starts import start, submit
from app.tasks.states import TERMINAL_SQL


def _best(due: str) -> str:
    """Some of the tasks that a claim may take, the best first."""
    return f"""
    SELECT priority, rank, id FROM tasks WHERE state = 'queued' AND lane = ?5 AND {due} AND cancel_requested_at IS NULL
      AND EXISTS (SELECT 1 FROM json_each(?6) able WHERE able.key = workload AND version BETWEEN ?8 AND able.value)
    ORDER BY priority DESC, rank, id LIMIT ?7"""


# The best of what never had to wait and of what was to wait until now: each has an index that leaves out what is to wait for longer.
CLAIM: Final = f"""
UPDATE tasks SET state = 'running', attempt = attempt + 1, claim = ?1, worker_id = ?2, started_at = ?3, lease_until = ?4, progress = NULL, message = '', error = NULL
WHERE id IN (
  SELECT id FROM (SELECT * FROM ({_best("run_at <= created_at")}) UNION ALL SELECT * FROM ({_best("run_at > created_at AND run_at <= ?3")}))
  ORDER BY priority DESC, rank, id LIMIT ?7) RETURNING *"""

_AGAIN: Final = """(i.verdict = 'released' OR (i.verdict = 'retry' AND tasks.errors + 1 < tasks.max_attempts)
    OR (i.verdict = 'crashed' AND tasks.errors + tasks.lost + 1 < tasks.max_attempts)) AND tasks.cancel_requested_at IS NULL"""
FINISH: Final = f"""
UPDATE tasks SET
  state = CASE WHEN i.verdict = 'succeeded' THEN 'succeeded' WHEN tasks.cancel_requested_at IS NOT NULL OR i.verdict = 'cancelled' THEN 'cancelled'
    WHEN {_AGAIN} THEN 'queued' ELSE 'failed' END,
  errors = tasks.errors + (i.verdict IN ('retry', 'crashed', 'failed')),
  run_at = CASE WHEN i.verdict IN ('retry', 'crashed') THEN i.run_at ELSE tasks.run_at END,
  finished_at = CASE WHEN i.verdict <> 'succeeded' AND {_AGAIN} THEN NULL ELSE ?1 END,
  progress = CASE i.verdict WHEN 'succeeded' THEN 1 ELSE tasks.progress END,
  lease_until = NULL, claim = NULL, worker_id = NULL, summary = i.summary, result = i.result,
  error = CASE WHEN i.verdict IN ('retry', 'crashed', 'failed') AND tasks.cancel_requested_at IS NULL THEN i.error END, artifacts = i.artifacts
FROM (SELECT value->>'id' id, value->>'attempt' attempt, value->>'token' claim, value->>'verdict' verdict, value->>'run_at' run_at, value->>'summary' summary,
  value->>'result' result, value->>'error' error, value->>'artifacts' artifacts FROM json_each(?2)) i
WHERE tasks.id = i.id AND tasks.state = 'running' AND tasks.attempt = i.attempt AND tasks.claim = i.claim RETURNING *"""

CANCEL: Final = """
UPDATE tasks SET state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END, cancel_requested_at = ?1, finished_at = CASE state WHEN 'queued' THEN ?1 END
WHERE id IN (SELECT value FROM json_each(?2)) AND user_id = ?3 AND state IN ('queued', 'running') AND cancel_requested_at IS NULL RETURNING *"""

REAP: Final = f"""
UPDATE tasks SET
  state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' WHEN lost + 1 >= {MOST_LOST} THEN 'failed' ELSE 'queued' END, lost = lost + 1,
  run_at = strftime('%Y-%m-%dT%H:%M:%f000+00:00', ?1, (abs(random() % 1000) / 1000.0 * min({LONGEST}, pow(2, lost + 1))) || ' seconds'),
  lease_until = NULL, claim = NULL, worker_id = NULL,
  finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR lost + 1 >= {MOST_LOST} THEN ?1 END,
  error = CASE WHEN cancel_requested_at IS NULL AND lost + 1 >= {MOST_LOST} THEN ?2 END
WHERE id IN (SELECT id FROM tasks WHERE state = 'running' AND lease_until < ?3 AND claim NOT IN (SELECT value FROM json_each(?4)) ORDER BY id LIMIT ?5) RETURNING *"""

_ENDING: Final = ["id", "attempt", "token", "verdict", "summary", "result", "error", "artifacts"]


class SqliteMoves:
    """`app.tasks.moves.Moves` on SQLite. `lease` in seconds."""

    def __init__(self, db: SqliteDatabase, *, lease: float) -> None:
        self._db = db
        self._lease = timedelta(seconds=lease)

    async def submit(self, drafts: Sequence[Draft]) -> Sequence[Event | None]:
        events = await self._db.at_once(lambda run: submit(run, drafts, _now()))
        made = {event.task_id: event for event in events}
        return [made.get(draft.id) for draft in drafts]

    async def start(self, draft: Draft, cause: Cause) -> Event | None:
        return await self._db.at_once(lambda run: start(run, draft, cause, _now()))

    async def claim(
        self,
        worker: UUID,
        lane: str,
        able: Mapping[str, int],
        limit: int,
        *,
        token: UUID | None = None,
        oldest: int = 0,
    ) -> Sequence[Claim]:
        token = token or uuid4()

        def write(run: Run) -> tuple[list[Any], list[Event]]:
            now = _now()
            rows = run(CLAIM, token, worker, now, now + self._lease, lane, orjson.dumps(able).decode(), limit, oldest)
            return rows, append(run, rows, now, lambda _: "task.started")

        rows, started = await self._db.at_once(write)
        events = {event.task_id: event for event in started}
        best = sorted(rows, key=lambda row: (-row["priority"], row["rank"], row["id"]))
        return [claim_of(row, token, events[UUID(row["id"])]) for row in best]

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Event | None]:
        def write(run: Run) -> list[Event]:
            now = _now()
            ended = [
                {
                    **{name: getattr(ending, name) for name in _ENDING},
                    "run_at": text(now + timedelta(seconds=ending.retry_after)),
                }
                for ending in endings
            ]
            return append(run, run(FINISH, now, orjson.dumps(ended).decode()), now, _outcome)

        events = await self._db.at_once(write)
        made = {event.task_id: event for event in events}
        return [made.get(ending.id) for ending in endings]

    async def cancel(self, user_id: int, task_ids: Sequence[UUID]) -> Sequence[Event]:
        def write(run: Run) -> list[Event]:
            now = _now()
            rows = run(CANCEL, now, orjson.dumps(list(task_ids)).decode(), user_id)
            return append(
                run, rows, now, lambda row: "task.cancelling" if row["state"] == "running" else "task.cancelled"
            )

        return await self._db.at_once(write)

    async def delete(self, user_id: int, task_id: UUID) -> Event | None:
        def write(run: Run) -> Event | None:
            sql = f"DELETE FROM tasks WHERE id = ? AND user_id = ? AND state IN {TERMINAL_SQL} RETURNING id, user_id"
            rows = run(sql, task_id, user_id)
            if not rows:
                return None
            run("UPDATE events SET task = json_object('id', task_id) WHERE task_id = ?", task_id)
            [deleted] = append(run, rows, _now(), lambda _: "task.deleted", card="json_object('id', j.value->>'id')")
            return deleted

        return await self._db.at_once(write)

    async def heartbeat(self, tokens: Mapping[UUID, UUID]) -> Mapping[UUID, bool]:
        sql = """UPDATE tasks SET lease_until = ?1 FROM json_each(?2) i WHERE tasks.id = i.key AND tasks.claim = i.value AND tasks.state = 'running'
        RETURNING id, cancel_requested_at IS NOT NULL AS cancelling"""
        held = orjson.dumps({str(task): token for task, token in tokens.items()}).decode()
        rows = await self._db.at_once(lambda run: run(sql, _now() + self._lease, held))
        return {UUID(row["id"]): bool(row["cancelling"]) for row in rows}

    async def under(self, token: UUID) -> Sequence[tuple[UUID, int]]:
        rows = await self._db.fetch_all(
            "SELECT id, attempt FROM tasks WHERE state = 'running' AND claim = :token", {"token": token}
        )
        return [(UUID(row["id"]), row["attempt"]) for row in rows]

    async def mark(self, marks: Sequence[Mark]) -> None:
        sql = """UPDATE tasks SET progress = i.value->>'fraction', message = i.value->>'message' FROM json_each(?1) i
        WHERE tasks.id = i.value->>'id' AND tasks.claim = i.value->>'token' AND tasks.state = 'running'"""
        made = batch(marks, "id", "token", "fraction", "message")
        await self._db.at_once(lambda run: run(sql, made))

    async def keep_log(self, pieces: Sequence[LogPiece]) -> None:
        given = batch(pieces, "id", "attempt", "token", "first", "last", "lines")
        await self._db.at_once(lambda run: [run(sql, given) for sql in WRITE_SQLITE])

    async def reap(
        self, held: Collection[UUID], *, limit: int = 100, ahead: float = 0.0, at: datetime | None = None
    ) -> Sequence[Event]:
        mine = orjson.dumps(list(held)).decode()

        def write(run: Run) -> list[Event]:
            now = _now()
            ended = (at or now) + timedelta(seconds=ahead)
            return append(run, run(REAP, now, LOST_ERROR, ended, mine, limit), now, _outcome)

        return await self._db.at_once(write)


def _outcome(row: Any) -> str:
    return "task.retrying" if row["state"] == "queued" else f"task.{row['state']}"


def _now() -> datetime:
    """For use under the lock: whoever waited for it must not write an older time than whoever had it."""
    return datetime.now(UTC)
