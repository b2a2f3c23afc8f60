"""The moves on PostgreSQL: one autocommit statement each.

Order is by data dependence only: the stream is bumped FROM the moved rows, and the event is made of what RETURNING gave. A missing stream row makes the
statement abort (NULL seq) instead of losing the event. Locks are taken on tasks by id, then on streams by user: any other order deadlocks.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from app.db import NOW, PostgresDatabase
from app.tasks.model import Cause, Claim, Draft, Ending, Event, LogPiece, Mark
from app.tasks.postgresql_events import RETURN, event_of, events
from app.tasks.postgresql_starts import starting, submitting
from app.tasks.retry import LONGEST, LOST_ERROR, MOST_LOST
from app.tasks.rows import claim_of
from app.tasks.run_log import WRITE_POSTGRESQL
from app.tasks.states import TERMINAL_SQL


def _best(due: str) -> str:
    """Some of the tasks that a claim may take, the best first."""
    return f"""
  SELECT priority, rank, id FROM tasks WHERE state = 'queued' AND lane = $2 AND {due} AND cancel_requested_at IS NULL
    AND workload = ANY($3::text[]) AND version BETWEEN $8 AND ($4::int[])[array_position($3::text[], workload)]
  ORDER BY priority DESC, rank, id LIMIT $5 FOR UPDATE SKIP LOCKED"""


# The best of what never had to wait (in order in its index, as many as there are) and of what was to wait until now. Ids in an array and a condition that no
# index fits leave the planner nothing but the primary key, however old its figures are: any other plan reads the whole backlog.
CLAIM: Final = f"""
WITH n AS MATERIALIZED ({_best("run_at <= created_at")}),
w AS MATERIALIZED ({_best(f"run_at > created_at AND run_at <= {NOW}")}),
t AS (UPDATE tasks SET state = 'running', attempt = tasks.attempt + 1, claim = $6, worker_id = $1, started_at = clock_timestamp(), lease_until = clock_timestamp() + $7 * interval '1 s',
    progress = NULL, message = '', error = NULL
  WHERE tasks.id = ANY(ARRAY(SELECT id FROM (SELECT * FROM n UNION ALL SELECT * FROM w) c ORDER BY priority DESC, rank, id LIMIT $5))
    AND CASE tasks.state WHEN 'queued' THEN true END RETURNING tasks.*),
{events("'task.started'")}
SELECT t.workload, t.version, t.attempt, t.lost, t.params, e.user_id, e.seq, e.at, e.type, e.task_id, e.task, e.origin
FROM e JOIN t ON t.id = e.task_id ORDER BY t.priority DESC, t.rank, t.id"""

_AGAIN: Final = """(i.verdict = 'released' OR (i.verdict = 'retry' AND tasks.errors + 1 < tasks.max_attempts)
        OR (i.verdict = 'crashed' AND tasks.errors + tasks.lost + 1 < tasks.max_attempts))"""
FINISH: Final = f"""
WITH i AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::float8[], $6::text[], $7::jsonb[], $8::jsonb[], $9::jsonb[])
  AS i(id, attempt, claim, verdict, retry_after, summary, result, error, artifacts)),
k AS MATERIALIZED (
  SELECT tasks.id FROM tasks JOIN i USING (id) WHERE tasks.state = 'running' AND tasks.attempt = i.attempt AND tasks.claim = i.claim
  ORDER BY tasks.id FOR UPDATE OF tasks),
t AS (UPDATE tasks SET
    state = CASE WHEN i.verdict = 'succeeded' THEN 'succeeded'
      WHEN tasks.cancel_requested_at IS NOT NULL OR i.verdict = 'cancelled' THEN 'cancelled'
      WHEN {_AGAIN} THEN 'queued'
      ELSE 'failed' END,
    errors = tasks.errors + (i.verdict IN ('retry', 'crashed', 'failed'))::int,
    run_at = CASE WHEN i.verdict IN ('retry', 'crashed') THEN clock_timestamp() + i.retry_after * interval '1 s' ELSE tasks.run_at END,
    finished_at = CASE WHEN tasks.cancel_requested_at IS NULL AND {_AGAIN} THEN NULL ELSE clock_timestamp() END,
    progress = CASE WHEN i.verdict = 'succeeded' THEN 1 ELSE tasks.progress END,
    lease_until = NULL, claim = NULL, worker_id = NULL, summary = i.summary, result = i.result,
    error = CASE WHEN i.verdict IN ('retry', 'crashed', 'failed') AND tasks.cancel_requested_at IS NULL THEN i.error END, artifacts = i.artifacts
  FROM k JOIN i USING (id) WHERE tasks.id = k.id AND tasks.state = 'running' AND tasks.attempt = i.attempt AND tasks.claim = i.claim RETURNING tasks.*),
{events("'task.' || CASE t.state WHEN 'queued' THEN 'retrying' ELSE t.state END")}{RETURN}"""

CANCEL: Final = f"""
WITH k AS MATERIALIZED (
  SELECT id FROM tasks WHERE id = ANY($2::uuid[]) AND CASE WHEN user_id = $1 THEN state = 'queued' OR (state = 'running' AND cancel_requested_at IS NULL) END
  ORDER BY id FOR UPDATE),
t AS (UPDATE tasks SET state = CASE tasks.state WHEN 'queued' THEN 'cancelled' ELSE tasks.state END, cancel_requested_at = clock_timestamp(),
    finished_at = CASE tasks.state WHEN 'queued' THEN clock_timestamp() END
  FROM k WHERE tasks.id = k.id AND tasks.state IN ('queued', 'running') AND tasks.cancel_requested_at IS NULL RETURNING tasks.*),
{events("CASE t.state WHEN 'running' THEN 'task.cancelling' ELSE 'task.cancelled' END")}{RETURN}"""

DELETE: Final = f"""
WITH t AS (DELETE FROM tasks WHERE id = $2 AND user_id = $1 AND state IN {TERMINAL_SQL} RETURNING *),
b AS (UPDATE events SET task = json_build_object('id', t.id)::text FROM t WHERE events.task_id = t.id),
{events("'task.deleted'", "json_build_object('id', t.id)::text")}{RETURN}"""

HEARTBEAT: Final = """
WITH i AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS i(id, claim)),
k AS MATERIALIZED (SELECT tasks.id FROM tasks JOIN i USING (id) WHERE tasks.claim = i.claim AND tasks.state = 'running' ORDER BY tasks.id FOR NO KEY UPDATE OF tasks)
UPDATE tasks SET lease_until = clock_timestamp() + $3 * interval '1 s' FROM k JOIN i USING (id) WHERE tasks.id = k.id AND tasks.claim = i.claim AND tasks.state = 'running'
RETURNING tasks.id, tasks.cancel_requested_at IS NOT NULL AS cancelling"""

MARK: Final = """
WITH i AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[]) AS i(id, claim, progress, message)),
k AS MATERIALIZED (SELECT tasks.id FROM tasks JOIN i USING (id) WHERE tasks.claim = i.claim AND tasks.state = 'running' ORDER BY tasks.id FOR NO KEY UPDATE OF tasks)
UPDATE tasks SET progress = i.progress, message = i.message FROM k JOIN i USING (id)
WHERE tasks.id = k.id AND tasks.claim = i.claim AND tasks.state = 'running'"""

REAP: Final = f"""
WITH k AS MATERIALIZED (
  SELECT id FROM tasks WHERE state = 'running' AND lease_until < coalesce($5::timestamptz, {NOW}) + $3 * interval '1 s' AND claim <> ALL($1::uuid[])
  ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
t AS (UPDATE tasks SET
    state = CASE WHEN tasks.cancel_requested_at IS NOT NULL THEN 'cancelled' WHEN tasks.lost + 1 >= {MOST_LOST} THEN 'failed' ELSE 'queued' END,
    lost = tasks.lost + 1, run_at = clock_timestamp() + random() * least({LONGEST}, 2 ^ (tasks.lost + 1)) * interval '1 s', lease_until = NULL, claim = NULL, worker_id = NULL,
    finished_at = CASE WHEN tasks.cancel_requested_at IS NOT NULL OR tasks.lost + 1 >= {MOST_LOST} THEN clock_timestamp() END,
    error = CASE WHEN tasks.cancel_requested_at IS NULL AND tasks.lost + 1 >= {MOST_LOST} THEN $4::jsonb END
  FROM k WHERE tasks.id = k.id AND tasks.state = 'running' AND tasks.lease_until < coalesce($5::timestamptz, {NOW}) + $3 * interval '1 s' RETURNING tasks.*),
{events("'task.' || CASE t.state WHEN 'queued' THEN 'retrying' ELSE t.state END")}{RETURN}"""


class PostgresMoves:
    """`app.tasks.moves.Moves` on PostgreSQL. `lease` in seconds."""

    def __init__(self, db: PostgresDatabase, *, lease: float) -> None:
        self._db = db
        self._lease = lease

    async def submit(self, drafts: Sequence[Draft]) -> Sequence[Event | None]:
        sql, arguments = submitting(drafts)
        rows = await self._db.hot(sql, *arguments)
        made = {event.task_id: event for event in map(event_of, rows)}
        return [made.get(draft.id) for draft in drafts]

    async def start(self, draft: Draft, cause: Cause) -> Event | None:
        sql, arguments = starting(draft, cause)
        rows = await self._db.hot(sql, *arguments)
        return event_of(rows[0]) if rows else None

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
        names, newest = list(able), list(able.values())
        rows = await self._db.hot(CLAIM, worker, lane, names, newest, limit, token, self._lease, oldest)
        return [claim_of(row, token, event_of(row)) for row in rows]

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Event | None]:
        rows = await self._db.hot(
            FINISH,
            *_columns(
                endings,
                "id",
                "attempt",
                "token",
                "verdict",
                "retry_after",
                "summary",
                "result",
                "error",
                "artifacts",
            ),
        )
        made = {event.task_id: event for event in map(event_of, rows)}
        return [made.get(ending.id) for ending in endings]

    async def cancel(self, user_id: int, task_ids: Sequence[UUID]) -> Sequence[Event]:
        return [event_of(row) for row in await self._db.hot(CANCEL, user_id, list(task_ids))]

    async def delete(self, user_id: int, task_id: UUID) -> Event | None:
        rows = await self._db.hot(DELETE, user_id, task_id)
        return event_of(rows[0]) if rows else None

    async def heartbeat(self, tokens: Mapping[UUID, UUID]) -> Mapping[UUID, bool]:
        rows = await self._db.hot(HEARTBEAT, list(tokens), list(tokens.values()), self._lease)
        return {row["id"]: row["cancelling"] for row in rows}

    async def under(self, token: UUID) -> Sequence[tuple[UUID, int]]:
        rows = await self._db.hot("SELECT id, attempt FROM tasks WHERE state = 'running' AND claim = $1", token)
        return [(row["id"], row["attempt"]) for row in rows]

    async def mark(self, marks: Sequence[Mark]) -> None:
        await self._db.hot(MARK, *_columns(marks, "id", "token", "fraction", "message"))

    async def keep_log(self, pieces: Sequence[LogPiece]) -> None:
        await self._db.hot(WRITE_POSTGRESQL, *_columns(pieces, "id", "attempt", "token", "first", "last", "lines"))

    async def reap(
        self, held: Collection[UUID], *, limit: int = 100, ahead: float = 0.0, at: datetime | None = None
    ) -> Sequence[Event]:
        return [event_of(row) for row in await self._db.hot(REAP, list(held), limit, ahead, LOST_ERROR, at)]


def _columns(items: Sequence[Any], *names: str) -> list[list[Any]]:
    return [[getattr(item, name) for item in items] for name in names]
