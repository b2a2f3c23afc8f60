"""How tasks begin on PostgreSQL, in one statement each: by a request, by a schedule, or by another task's success."""

from collections.abc import Sequence
from typing import Any, Final

from app.tasks.model import Cause, Draft, Fired, Followed
from app.tasks.postgresql_events import RETURN, events

_ARRAYS: Final = {
    "id": "uuid", "user_id": "int", "name": "text", "workload": "text", "version": "int", "lane": "text", "params": "jsonb", "max_attempts": "int",
    "priority": "int", "run_at": "timestamptz", "retry_of": "uuid", "key": "text", "body": "bytea", "follow": "jsonb",
}  # fmt: skip
_FOLLOW: Final = """
f AS (INSERT INTO follow_ups (task_id, user_id, plan) SELECT id, user_id, follow FROM i WHERE follow IS NOT NULL AND id IN (SELECT id FROM t)),"""


def _accept(guard: str, passed: str, *, first: int = 1, follow: bool = True) -> str:
    """Accept the drafts of the arrays from parameter `first` on where `passed` holds, a condition on them and on what the CTEs of `guard` did."""
    names = [name for name in _ARRAYS if follow or name != "follow"]
    arrays = ", ".join(f"${number}::{_ARRAYS[name]}[]" for number, name in enumerate(names, first))
    return f"""
WITH i AS MATERIALIZED (SELECT * FROM unnest({arrays}) AS i({", ".join(names)})),
{guard},
t AS (INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, priority, run_at, retry_of, created_at)
  SELECT id, user_id, name, workload, version, lane, params, 'queued', max_attempts, priority, greatest(clock_timestamp(), run_at), retry_of, clock_timestamp()
  FROM i WHERE {passed} RETURNING *),{_FOLLOW if follow else ""}
{events("'task.queued'")}{RETURN}"""


_KEYS: Final = """
k AS (INSERT INTO idempotency (user_id, key, body, task_id, created_at)
  SELECT user_id, key, body, id, clock_timestamp() FROM i WHERE key IS NOT NULL ORDER BY user_id, key ON CONFLICT DO NOTHING RETURNING task_id)"""
_NEW_KEY: Final = "key IS NULL OR id IN (SELECT task_id FROM k)"
# Most tasks have nothing that follows, and do not pay for it.
_SUBMIT: Final = _accept(_KEYS, _NEW_KEY, follow=False)
_SUBMIT_CHAINED: Final = _accept(_KEYS, _NEW_KEY)

_FIRE: Final = _accept(
    """
g AS (UPDATE schedules SET next_at = $4, last_at = $3 WHERE id = $1 AND next_at = $2 AND paused_at IS NULL RETURNING id),
r AS (INSERT INTO schedule_runs (schedule_id, at, outcome, task_id, missed) SELECT g.id, $3, 'started', i.id, $5 FROM g CROSS JOIN i
  ON CONFLICT DO NOTHING RETURNING task_id)""",
    "id IN (SELECT task_id FROM r)",
    first=6,
)
_FOLLOW_ON: Final = _accept(
    """
g AS (UPDATE follow_ups SET outcome = 'started', next_task_id = i.id, note = '', taken_until = NULL FROM i
  WHERE follow_ups.task_id = $1 AND outcome IS NULL RETURNING next_task_id)""",
    "id IN (SELECT next_task_id FROM g)",
    first=2,
)


def submitting(drafts: Sequence[Draft]) -> tuple[str, list[Any]]:
    """The statement that accepts `drafts`, with its arguments."""
    chained = any(draft.follow is not None for draft in drafts)
    return _SUBMIT_CHAINED if chained else _SUBMIT, _arrays(drafts, follow=chained)


def starting(draft: Draft, cause: Cause) -> tuple[str, list[Any]]:
    """The statement that accepts `draft` where its cause has started nothing yet, with its arguments."""
    match cause:
        case Fired():
            arguments = [cause.schedule_id, cause.due, cause.at, cause.following, cause.missed]
            return _FIRE, [*arguments, *_arrays([draft])]
        case Followed():
            return _FOLLOW_ON, [cause.task_id, *_arrays([draft])]


def _arrays(drafts: Sequence[Draft], *, follow: bool = True) -> list[Any]:
    return [[getattr(draft, name) for draft in drafts] for name in _ARRAYS if follow or name != "follow"]
