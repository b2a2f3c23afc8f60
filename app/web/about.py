"""`GET /about`: what the service does, its parts, and whether each answers now."""

import asyncio
import platform
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import starlette
from starlette.requests import Request
from starlette.responses import Response

from app.resources import Resources
from app.web.api import resources
from app.web.auth import identify
from app.web.templating import render
from app.web.wording import plural

PATIENCE: Final = 2.0  # seconds that a part may take to answer
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
    user = await identify(request)
    found = resources(request)
    workers, workloads, parts = await _known(found)
    values = {
        "position": await found.log.position(user.user_id) if user else None,
        "parts": parts,
        "workloads": workloads,
        "runnable": {name for worker in workers for name in worker.workloads},
        "versions": [
            ("Starlette", starlette.__version__),
            ("Uvicorn", version("uvicorn")),
            ("Python", platform.python_version()),
        ],
        "checked_at": datetime.now(UTC),
    }
    return render(request, "about.html", values)


async def _known(found: Resources) -> tuple[list[Any], list[Any], list[Part]]:
    settings = found.settings
    database, queue, events = await asyncio.gather(
        _asked("Database", "the truth: every task and every event", settings.database_url, found.db.ping()),
        _asked("Queue", "wakes the workers", settings.queue_url, found.queue.ping()),
        _asked("Events", "carry news between processes", settings.events_url, found.fanout.ping()),
    )
    up = database.tone == "ok"
    workers = await found.catalogue.workers() if up else []
    workloads = await found.catalogue.all() if up else []
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
    return workers, workloads, [web, database, queue, events, working, files]


async def _asked(name: str, what: str, url: str, question: Awaitable[Any]) -> Part:
    """A part by whether it answers in time."""
    kind = _WORDS.get(urlsplit(url).scheme, urlsplit(url).scheme)
    try:
        async with asyncio.timeout(PATIENCE):
            await question
    except TimeoutError:
        return Part(name, f"{kind}: {what}", "Slow", "alert", "warn", f"No answer within {PATIENCE:.0f} s.")
    except Exception:  # noqa: BLE001  whatever is wrong with a part is what this page is for
        return Part(
            name,
            f"{kind}: {what}",
            "Does not answer",
            "alert",
            "bad",
            "Accepted tasks are safe; what needs this part goes on once it answers.",
        )
    return Part(name, f"{kind}: {what}", "Answers", "check", "ok")
