"""The page of a task, and the buttons on it. A handler parses, calls one command, answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.catalogue import Workload
from app.tasks.model import Task
from app.web import forms
from app.web.api import resources, task_id
from app.web.auth import require
from app.web.cards import row
from app.web.chain_view import surroundings
from app.web.files_api import expired, expires_at
from app.web.results import GalleryView, views
from app.web.run_logs import by_attempt
from app.web.snippets import shell
from app.web.start import file_names
from app.web.templating import render
from app.web.wording import day, length

CAUSES: Final = {
    "error": "The work ran into an error.",
    "timeout": "It took longer than it may.",
    "lost": "What ran it stopped.",
    "rejected": "The input was not accepted.",
}
STEPS: Final = {
    "task.queued": ("Submitted", "ok"),
    "task.started": ("Started", "ok"),
    "task.retrying": ("Waits for another attempt", "warn"),
    "task.cancelling": ("Cancel asked for", "warn"),
    "task.succeeded": ("Finished", "ok"),
    "task.failed": ("Failed", "bad"),
    "task.cancelled": ("Cancelled", "off"),
}
FILE_ICONS: Final = {"text/csv": "file-table", "application/json": "file-text", "text/html": "file-text"}


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the timeline."""

    word: str
    tone: str
    at: datetime
    note: str = ""


async def task(request: Request) -> Response:
    """`GET /tasks/{id}`."""
    user = await require(request)
    parts = resources(request)
    # The position first: what happens while the rest is read comes again over the websocket.
    position = await parts.log.position(user.user_id)
    found = await parts.store.get(user.user_id, task_id(request))
    workload = await parts.catalogue.get(found.workload)
    names = await file_names(parts.files, user.user_id, workload.schema, found.params) if workload else {}
    frames = await parts.log.of_task(user.user_id, found.id)
    wait = await parts.waits.explain(found)
    usual = (await parts.waits.usual()).get(found.workload)
    now = datetime.now(UTC)
    gone = expired(found, parts.files.kept)
    waited, ran = _spent(found)
    shown = views(found.result, () if gone else found.artifacts)
    # A gallery has its pictures to open already; beside all of them nobody finds the other files.
    pictured = {one.name for view in shown if isinstance(view, GalleryView) for one in view.images}
    values = {
        "position": position,
        "task": found,
        "row": row(found, workload.title if workload else found.workload, now, wait, usual),
        "wait": wait,
        "terminal": found.state.terminal,
        "cause": CAUSES.get(str((found.error or {}).get("kind")), "It failed."),
        "views": shown,
        "files_expired": gone,
        "files_until": day(until) if (until := expires_at(found, parts.files.kept)) else "",
        "files": [
            {
                **one,
                "icon": "image"
                if one["media_type"].startswith("image/")
                else FILE_ICONS.get(one["media_type"], "file-text"),
            }
            for one in found.artifacts
            if one["name"] not in pictured
        ],
        "log": by_attempt(await parts.store.lines(user.user_id, found.id)),
        "timeline": timeline([orjson.loads(frame.text) for frame in frames], ran),
        "around": await surroundings(parts, found),
        "spent": _words(waited, ran),
        "split": _split(waited, ran),
        "input": shown_input(workload, found.params, names),
        "snippet": shell(str(request.base_url).rstrip("/"), user.username, found.workload, found.params),
    }
    return render(request, "task.html", values)


async def cancel(request: Request) -> Response:
    """`POST /tasks/{id}/cancel`: 303 to the task."""
    user = await require(request)
    found = await resources(request).tasks.cancel(user.user_id, task_id(request))
    return RedirectResponse(f"/tasks/{found.id}", 303)


async def retry(request: Request) -> Response:
    """`POST /tasks/{id}/retry`: 303 to the new task."""
    user = await require(request)
    accepted = await resources(request).tasks.retry(user.user_id, task_id(request))
    return RedirectResponse(f"/tasks/{accepted.id}", 303)


async def delete(request: Request) -> Response:
    """`POST /tasks/{id}/delete`: 303 to the list."""
    user = await require(request)
    await resources(request).tasks.delete(user.user_id, task_id(request))
    return RedirectResponse("/tasks", 303)


def timeline(events: list[Mapping[str, Any]], ran: float | None) -> list[Step]:
    """What happened, in order; `events` are the frames of the task's log."""
    steps = []
    for event in events:
        if event["type"] not in STEPS:
            continue
        word, tone = STEPS[event["type"]]
        note = ""
        card = event.get("task") or {}
        if event["type"] == "task.started" and card.get("attempt", 1) > 1:
            note = f"Attempt {card['attempt']}"
        elif event["type"] in ("task.failed", "task.retrying"):
            note = str((card.get("error") or {}).get("message") or "")
        elif event["type"] == "task.succeeded" and ran is not None:
            note = f"Took {length(ran)}"
        steps.append(Step(word, tone, datetime.fromisoformat(event["at"]), note))
    return steps


def shown_input(
    workload: Workload | None, params: Mapping[str, Any], names: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The params in the form's words; without the workload, as they are."""
    if workload is None:
        return [(name, orjson.dumps(value).decode()) for name, value in params.items()]
    shown = []
    for one in forms.fields(workload.schema, params, file_names=names):
        text = one.file_name or one.value
        if one.kind == "file" and one.value and not one.file_name:
            text = "A file that has expired or was deleted"
        if one.kind == "switch":
            text = "yes" if one.value else "no"
        elif one.kind in ("choice", "segments"):
            text = dict(one.options).get(one.value, one.value)
        shown.append((one.label, f"{text} {one.unit}".strip() if text else "–"))
    return shown


def _spent(task: Task) -> tuple[float | None, float | None]:
    """Seconds that it waited (from when it was due) and ran."""
    since = max(task.created_at, min(task.run_at, task.started_at or task.run_at))
    waited = (task.started_at - since).total_seconds() if task.started_at else None
    ran = (task.finished_at - task.started_at).total_seconds() if task.finished_at and task.started_at else None
    return (max(0.0, waited) if waited is not None else None), ran


def _words(waited: float | None, ran: float | None) -> str:
    if waited is None:
        return ""
    return f"Waited {length(waited)}" + (f", ran {length(ran)}" if ran is not None else "")


def _split(waited: float | None, ran: float | None) -> float | None:
    """The waiting share of the bar, in percent. None where there is nothing to divide."""
    if waited is None or ran is None or waited + ran <= 0:
        return None
    return round(waited / (waited + ran) * 100, 2)
