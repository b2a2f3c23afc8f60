"""Rows of the database, of either dialect, as values."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import orjson

from app.db import Row, moment, moment_or_none
from app.tasks.model import Claim, Event, Task
from app.tasks.states import State

CARD_COLUMNS: Final = """id, user_id, name, workload, version, lane, state, attempt, max_attempts, priority, progress, message, summary, error, retry_of,
cancel_requested_at, created_at, run_at, started_at, finished_at"""
ALL_COLUMNS: Final = f"{CARD_COLUMNS}, params, result, artifacts"


def task_of(row: Row) -> Task:
    """A task from a row of `tasks`; the columns of a card suffice."""
    return Task(
        id=UUID(str(row["id"])),
        user_id=row["user_id"],
        name=row["name"],
        workload=row["workload"],
        version=row["version"],
        lane=row["lane"],
        state=State(row["state"]),
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        priority=row["priority"],
        progress_fraction=row["progress"],
        progress_message=row["message"],
        summary=row["summary"],
        error=_json(row, "error"),
        retry_of=UUID(str(row["retry_of"])) if row["retry_of"] else None,
        cancel_requested_at=moment_or_none(row["cancel_requested_at"]),
        created_at=moment(row["created_at"]),
        run_at=moment(row["run_at"]),
        started_at=moment_or_none(row["started_at"]),
        finished_at=moment_or_none(row["finished_at"]),
        params=_json(row, "params") or {},
        result=_json(row, "result"),
        artifacts=tuple(_artifact(row["id"], item) for item in _json(row, "artifacts") or ()),
    )


def claim_of(row: Row, token: UUID, event: Event) -> Claim:
    """A claim from the row that was moved, and the event that tells of it."""
    return Claim(
        id=event.task_id,
        user_id=event.user_id,
        workload=row["workload"],
        version=row["version"],
        attempt=row["attempt"],
        lost=row["lost"],
        params=orjson.loads(row["params"]),
        token=token,
        event=event,
    )


def event_of(row: Row) -> Event:
    """An event from a row of `events`."""
    return Event(row["user_id"], row["seq"], moment(row["at"]), row["type"], UUID(str(row["task_id"])), row["task"])


def _artifact(task_id: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "url": f"/api/v1/tasks/{task_id}/artifacts/{quote(item['name'])}"}


def _json(row: Row, name: str) -> Any:
    text = row.get(name)
    return orjson.loads(text) if text is not None else None
