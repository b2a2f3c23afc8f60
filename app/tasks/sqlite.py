"""The moves on SQLite: `BEGIN IMMEDIATE`, the same guarded statements over whole batches (as JSON), the events, COMMIT.

There are no data-modifying CTEs here; the one writer makes the transaction as atomic as PostgreSQL's single statement.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import orjson

from app.db import SqliteDatabase, moment
from app.db.sqlite import Run
from app.errors import Unstorable
from app.tasks.document import CARD
from app.tasks.model import Claim, Draft, Ending, Event, Mark
from app.tasks.retry import LONGEST, LOST_ERROR, MOST_LOST
from app.tasks.rows import claim_of

_SPECIAL: Final = {"progress": "json_object('fraction', t.progress, 'message', t.message)", "error": "json(t.error)"}
_FIELDS: Final = ", ".join(f"'{name}', {_SPECIAL.get(name, 't.' + name)}" for name in CARD)
_CARD: Final = f"json_object({_FIELDS})"

SUBMIT: Final = """
INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, priority, run_at, retry_of, created_at)
SELECT value->>'id', value->>'user_id', value->>'name', value->>'workload', value->>'version', value->>'lane', value->>'params', 'queued',
  value->>'max_attempts', value->>'priority', max(?1, coalesce(value->>'run_at', ?1)), value->>'retry_of', ?1 FROM json_each(?2) RETURNING *"""


def _best(due: str) -> str:
    """Some of the tasks that a claim may take, the best first."""
    return f"""
    SELECT priority, rank, id FROM tasks WHERE state = 'queued' AND lane = ?5 AND {due} AND cancel_requested_at IS NULL
      AND EXISTS (SELECT 1 FROM json_each(?6) able WHERE able.key = workload AND able.value >= version)
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
  error = CASE WHEN i.verdict IN ('retry', 'crashed', 'failed') AND tasks.cancel_requested_at IS NULL THEN i.error END, artifacts = i.artifacts, log = i.log
FROM (SELECT value->>'id' id, value->>'attempt' attempt, value->>'token' claim, value->>'verdict' verdict, value->>'run_at' run_at, value->>'summary' summary,
  value->>'result' result, value->>'error' error, value->>'artifacts' artifacts, value->>'log' log FROM json_each(?2)) i
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

_DRAFT: Final = [
    "id",
    "user_id",
    "name",
    "workload",
    "version",
    "lane",
    "params",
    "max_attempts",
    "priority",
    "run_at",
    "retry_of",
]
_ENDING: Final = ["id", "attempt", "token", "verdict", "summary", "result", "error", "artifacts", "log"]


class SqliteMoves:
    """`app.tasks.moves.Moves` on SQLite. `lease` in seconds."""

    def __init__(self, db: SqliteDatabase, *, lease: float) -> None:
        self._db = db
        self._lease = timedelta(seconds=lease)

    async def submit(self, drafts: Sequence[Draft]) -> Sequence[Event | None]:
        now = _now()

        def write(run: Run) -> list[Event]:
            taken = {draft.id for draft in drafts if draft.key is not None and not _keep_key(run, draft, now)}
            rows = run(SUBMIT, now, _batch((d for d in drafts if d.id not in taken), *_DRAFT))
            return _append(run, rows, now, lambda _: "task.queued")

        made = {event.task_id: event for event in await self._db.at_once(write)}
        return [made.get(draft.id) for draft in drafts]

    async def claim(
        self, worker: UUID, lane: str, able: Mapping[str, int], limit: int, *, token: UUID | None = None
    ) -> Sequence[Claim]:
        now, token = _now(), token or uuid4()

        def write(run: Run) -> tuple[list[Any], list[Event]]:
            rows = run(CLAIM, token, worker, now, now + self._lease, lane, orjson.dumps(able).decode(), limit)
            return rows, _append(run, rows, now, lambda _: "task.started")

        rows, started = await self._db.at_once(write)
        events = {event.task_id: event for event in started}
        best = sorted(rows, key=lambda row: (-row["priority"], row["rank"], row["id"]))
        return [claim_of(row, token, events[UUID(row["id"])]) for row in best]

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Event | None]:
        now = _now()
        batch = orjson.dumps(
            [
                {
                    **{name: getattr(ending, name) for name in _ENDING},
                    "run_at": _text(now + timedelta(seconds=ending.retry_after)),
                }
                for ending in endings
            ]
        ).decode()
        events = await self._db.at_once(lambda run: _append(run, run(FINISH, now, batch), now, _outcome))
        made = {event.task_id: event for event in events}
        return [made.get(ending.id) for ending in endings]

    async def cancel(self, user_id: int, task_ids: Sequence[UUID]) -> Sequence[Event]:
        now = _now()

        def write(run: Run) -> list[Event]:
            rows = run(CANCEL, now, orjson.dumps(list(task_ids)).decode(), user_id)
            return _append(
                run, rows, now, lambda row: "task.cancelling" if row["state"] == "running" else "task.cancelled"
            )

        return await self._db.at_once(write)

    async def delete(self, user_id: int, task_id: UUID) -> Event | None:
        now = _now()

        def write(run: Run) -> Event | None:
            sql = "DELETE FROM tasks WHERE id = ? AND user_id = ? AND state IN ('succeeded', 'failed', 'cancelled') RETURNING id, user_id"
            rows = run(sql, task_id, user_id)
            if not rows:
                return None
            run("UPDATE events SET task = json_object('id', task_id) WHERE task_id = ?", task_id)
            [deleted] = _append(run, rows, now, lambda _: "task.deleted", card="json_object('id', j.value->>'id')")
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
        batch = _batch(marks, "id", "token", "fraction", "message")
        await self._db.at_once(lambda run: run(sql, batch))

    async def reap(
        self, held: Collection[UUID], *, limit: int = 100, ahead: float = 0.0, at: datetime | None = None
    ) -> Sequence[Event]:
        now = _now()
        ended = (at or now) + timedelta(seconds=ahead)
        mine = orjson.dumps(list(held)).decode()
        return await self._db.at_once(
            lambda run: _append(run, run(REAP, now, LOST_ERROR, ended, mine, limit), now, _outcome)
        )


def _keep_key(run: Run, draft: Draft, now: datetime) -> bool:
    sql = "INSERT INTO idempotency (user_id, key, body, task_id, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING task_id"
    return bool(run(sql, draft.user_id, draft.key, draft.body, draft.id, now))


def _append(
    run: Run, rows: Sequence[Any], now: datetime, kind: Callable[[Any], str], *, card: str = _CARD
) -> list[Event]:
    """Bump the streams of the moved rows and append one event each, in the order of (user, task)."""
    if not rows:
        return []
    counts = Counter(row["user_id"] for row in rows)
    bump = """UPDATE streams SET seq = seq + i.value FROM json_each(?) i WHERE streams.user_id = CAST(i.key AS integer) RETURNING user_id, seq"""
    heads = {
        row["user_id"]: row["seq"]
        for row in run(bump, orjson.dumps({str(user): n for user, n in counts.items()}).decode())
    }
    if heads.keys() != counts.keys():
        raise Unstorable("The user has no stream of events.")
    ordered = sorted(rows, key=lambda row: (row["user_id"], row["id"]))
    after = {user: heads[user] - n for user, n in counts.items()}
    batch = []
    for row in ordered:
        after[row["user_id"]] += 1
        batch.append({"id": row["id"], "user_id": row["user_id"], "seq": after[row["user_id"]], "type": kind(row)})
    insert = f"""INSERT INTO events (user_id, seq, at, type, task_id, task)
    SELECT j.value->>'user_id', j.value->>'seq', ?1, j.value->>'type', j.value->>'id', {card}
    FROM json_each(?2) j LEFT JOIN tasks t ON t.id = j.value->>'id' WHERE true RETURNING user_id, seq, at, type, task_id, task"""
    made = run(insert, now, orjson.dumps(batch).decode())
    return [Event(r["user_id"], r["seq"], moment(r["at"]), r["type"], UUID(r["task_id"]), r["task"]) for r in made]


def _outcome(row: Any) -> str:
    return "task.retrying" if row["state"] == "queued" else f"task.{row['state']}"


def _now() -> datetime:
    return datetime.now(UTC)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _batch(items: Any, *names: str) -> str:
    def plain(value: Any) -> Any:
        return _text(value.astimezone(UTC)) if isinstance(value, datetime) else value

    return orjson.dumps([{name: plain(getattr(item, name)) for name in names} for item in items]).decode()
