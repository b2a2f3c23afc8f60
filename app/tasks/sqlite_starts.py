"""How tasks begin on SQLite, inside one transaction: by a request, by a schedule, or by another task's success."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.db.sqlite import Run
from app.tasks.model import Cause, Draft, Event, Fired, Followed
from app.tasks.sqlite_events import append, batch

_DRAFT: Final = (
    "id", "user_id", "name", "workload", "version", "lane", "params", "max_attempts", "priority", "run_at", "retry_of",
)  # fmt: skip
_SUBMIT: Final = """
INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, priority, run_at, retry_of, created_at)
SELECT value->>'id', value->>'user_id', value->>'name', value->>'workload', value->>'version', value->>'lane', value->>'params', 'queued',
  value->>'max_attempts', value->>'priority', max(?1, coalesce(value->>'run_at', ?1)), value->>'retry_of', ?1 FROM json_each(?2) RETURNING *"""


def submit(run: Run, drafts: Sequence[Draft], now: datetime) -> list[Event]:
    """Accept the drafts whose keys are new."""
    return _accept(run, [draft for draft in drafts if draft.key is None or _keep_key(run, draft, now)], now)


def start(run: Run, draft: Draft, cause: Cause, now: datetime) -> Event | None:
    """Accept `draft` where its cause has started nothing yet."""
    return _accept(run, [draft], now)[0] if _use(run, cause, draft) else None


def _use(run: Run, cause: Cause, draft: Draft) -> bool:
    match cause:
        case Fired():
            advance = "UPDATE schedules SET next_at = ?4, last_at = ?3 WHERE id = ?1 AND next_at = ?2 AND paused_at IS NULL RETURNING id"
            if not run(advance, cause.schedule_id, cause.due, cause.at, cause.following):
                return False
            keep = """INSERT INTO schedule_runs (schedule_id, at, outcome, task_id, missed) VALUES (?, ?, 'started', ?, ?)
            ON CONFLICT DO NOTHING RETURNING task_id"""
            return bool(run(keep, cause.schedule_id, cause.at, draft.id, cause.missed))
        case Followed():
            follow = """UPDATE follow_ups SET outcome = 'started', next_task_id = ?2, note = '', taken_until = NULL
            WHERE task_id = ?1 AND outcome IS NULL RETURNING task_id"""
            return bool(run(follow, cause.task_id, draft.id))


def _accept(run: Run, drafts: Sequence[Draft], now: datetime) -> list[Event]:
    rows = run(_SUBMIT, now, batch(drafts, *_DRAFT))
    for draft in drafts:
        if draft.follow is not None:
            sql = "INSERT INTO follow_ups (task_id, user_id, plan) VALUES (?, ?, ?)"
            run(sql, draft.id, draft.user_id, draft.follow)
    return append(run, rows, now, lambda _: "task.queued")


def _keep_key(run: Run, draft: Draft, now: datetime) -> bool:
    sql = "INSERT INTO idempotency (user_id, key, body, task_id, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING task_id"
    return bool(run(sql, draft.user_id, draft.key, draft.body, draft.id, now))
