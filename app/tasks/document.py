"""What the outside sees of a task, as JSON: the document, the card (a document without the large parts), the frame of an event.

The databases write the card of an event themselves, in the statement that makes it; `CARD` is the one list of its fields for both.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import orjson

from app.events.model import Frame
from app.tasks.model import Event, Task
from app.tasks.states import FINAL_EVENTS

CARD: Final = (
    "id",
    "name",
    "workload",
    "state",
    "attempt",
    "max_attempts",
    "progress",
    "summary",
    "error",
    "retry_of",
    "cancel_requested_at",
    "created_at",
    "run_at",
    "started_at",
    "finished_at",
)


def links(task_id: UUID) -> dict[str, str]:
    """Where to go from a task."""
    at = f"/api/v1/tasks/{task_id}"
    return {"self": at, "page": f"/tasks/{task_id}", "events": f"{at}/events", "cancel": f"{at}/cancel"}


def card(task: Task) -> dict[str, Any]:
    """The task without params, result, artifacts and wait."""
    shown: dict[str, Any] = {name: getattr(task, name) for name in CARD if name != "progress"}
    shown["progress"] = {"fraction": task.progress_fraction, "message": task.progress_message}
    shown["links"] = links(task.id)
    return shown


def document(task: Task, wait: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The whole task; `wait` says why it has not started."""
    artifacts = [{name: item[name] for name in ("name", "media_type", "size", "url")} for item in task.artifacts]
    return {**card(task), "params": task.params, "result": task.result, "artifacts": artifacts, "wait": wait}


def linked(card_text: str, task_id: UUID) -> str:
    """A stored card, as JSON text, with its links: spliced, since parsing each would cost more than everything else on the way."""
    return f'{card_text[:-1]},"links":{orjson.dumps(links(task_id)).decode()}}}'


def accepted(event: Event, params: str) -> str:
    """The document of a task that was accepted a moment ago, as JSON text."""
    return f'{linked(event.task, event.task_id)[:-1]},"params":{params},"result":null,"artifacts":[],"wait":null}}'


def to_frame(event: Event) -> Frame:
    """The websocket's text frame of an event."""
    card_text = linked(event.task, event.task_id)
    text = f'{{"type":"{event.type}","seq":{event.seq},"at":"{event.at.isoformat()}","task":{card_text}}}'
    return Frame(event.user_id, event.seq, text, str(event.task_id), event.type in FINAL_EVENTS, event.origin)


def progress_frame(user_id: int, task_id: UUID, attempt: int, fraction: float | None, message: str) -> Frame:
    """The websocket's text frame of progress: without `seq`, it may be dropped."""
    shown = {
        "type": "task.progress",
        "task_id": str(task_id),
        "attempt": attempt,
        "fraction": fraction,
        "message": message,
    }
    return Frame(user_id, None, orjson.dumps(shown).decode(), str(task_id), final=False)
