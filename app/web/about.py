"""`GET /about`: what the service does, its parts, and whether each answers now."""

import contextlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import starlette
from starlette.requests import Request
from starlette.responses import Response

from app.accounts.model import Identity
from app.catalogue import Worker
from app.errors import Unavailable
from app.ops.monitor import Monitor
from app.ops.parts import PARTS
from app.resources import Resources
from app.web.api import resources
from app.web.auth import identify
from app.web.templating import render
from app.web.wording import plural

_WORDS: Final = {
    "sqlite": "SQLite, embedded",
    "postgresql": "PostgreSQL",
    "memory": "in this process",
    "amqp": "RabbitMQ",
    "amqps": "RabbitMQ",
    "redis": "Redis",
    "rediss": "Redis",
    "file": "a folder",
    "s3": "an S3 bucket",
}


SEE_THE_LOG: Final = "A worker could not load it; its log and taskline doctor say why."


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the service. `word`, `icon` and `tone` say how it is; unknown is not down."""

    name: str
    what: str
    word: str
    icon: str
    tone: str
    note: str = ""


async def about(request: Request) -> Response:
    """The page; signed in or not."""
    found = resources(request)
    user = position = None
    with contextlib.suppress(Unavailable):  # what this page says then
        user = await identify(request)
        position = await found.log.position(user.user_id) if user else None
    workers, workloads, parts = await _known(found, request.app.state.monitor)
    values = {
        "position": position,
        "parts": parts,
        "workloads": workloads,
        "runnable": {name for worker in workers for name in worker.workloads},
        "left_out": _left_out(workers, user),
        "versions": [
            ("Starlette", starlette.__version__),
            ("Uvicorn", version("uvicorn")),
            ("Python", platform.python_version()),
        ],
        "checked_at": datetime.now(UTC),
    }
    return render(request, "about.html", values)


async def _known(found: Resources, monitor: Monitor) -> tuple[list[Any], list[Any], list[Part]]:
    settings = found.settings
    said = await monitor.ask()
    asked = [
        _part("Database", "the truth: every task and every event", settings.database_url, said),
        _part("Queue", "wakes the workers", settings.queue_url, said),
        _part("Events", "carry news between processes", settings.events_url, said),
    ]
    workers, workloads, up = [], [], False
    with contextlib.suppress(Unavailable):
        if said["database"] is None:
            workers, workloads, up = await found.catalogue.workers(), await found.catalogue.all(), True
    slots = sum(sum(worker.slots.values()) for worker in workers)
    if not up:
        working = Part("Workers", "run the tasks", "Unknown", "info", "off", "The database would say.")
    elif workers:
        working = Part(
            "Workers",
            "run the tasks",
            f"{len(workers)} running",
            "check",
            "ok",
            f"Room for {plural(slots, 'task')} at once.",
        )
    else:
        working = Part(
            "Workers", "run the tasks", "None", "alert", "warn", "Tasks wait until one runs. Start one: taskline worker"
        )
    web = Part("Web", "pages, REST and websockets", "Answers", "check", "ok", "This page came from it.")
    files = Part(
        "Files",
        f"uploads and results, in {_WORDS.get(urlsplit(settings.artifacts_url).scheme, 'a store')}",
        "Not asked",
        "info",
        "off",
        "Asked when a file is read or written.",
    )
    return workers, workloads, [web, *asked, working, files]


def _left_out(workers: Sequence[Worker], user: Identity | None) -> dict[str, str]:
    """The plug-ins that some worker cannot load, with why. A reason may quote what only those who operate the service should read; strangers hear of none."""
    if user is None:
        return {}
    if not user.operates:
        return {one.source: SEE_THE_LOG for worker in workers for one in worker.left_out}
    return {one.source: f"{one.reason[0].upper()}{one.reason[1:]}." for worker in workers for one in worker.left_out}


def _part(name: str, what: str, url: str, said: Mapping[str, str | None]) -> Part:
    """A part by what it says; where it does not answer, what goes on meanwhile and what to do."""
    kind = _WORDS.get(urlsplit(url).scheme, urlsplit(url).scheme)
    if said[name.lower()] is None:
        return Part(name, f"{kind}: {what}", "Answers", "check", "ok")
    away = PARTS[name.lower()]
    return Part(name, f"{kind}: {what}", "Does not answer", "alert", "bad", f"{away.meanwhile} {away.remedy}")
