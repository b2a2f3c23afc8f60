"""Home, the list of tasks, and the API reference. A handler parses, asks, renders."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.catalogue import Workload
from app.errors import NotFound
from app.tasks.model import Task
from app.tasks.states import State
from app.web import start
from app.web.api import json, resources
from app.web.asyncapi import asyncapi
from app.web.auth import identify, require
from app.web.bulk_pages import COOKIE, PATH
from app.web.bulk_words import Notice
from app.web.cards import LOOKS, Row, row
from app.web.chosen import address, filter_of, query_of
from app.web.examples import offered
from app.web.reference import frames, grouped
from app.web.snippets import shell
from app.web.templating import render

MOST_EXPLAINED: Final = 5  # waiting tasks whose place in line is looked up for a page
PAGE: Final = 50  # tasks
MOST_COUNTED: Final = 10_000  # tasks that a filter finds; more are said as more


async def home(request: Request) -> Response:
    """`GET /`: what this is, or one's own tasks."""
    if await identify(request) is None:
        return render(request, "welcome.html", {})
    return await home_page(request)


async def home_page(request: Request, form: start.StartForm | None = None, *, status: int = 200) -> Response:
    """Home of somebody signed in; with `form` after a submission that was refused."""
    user = await require(request)
    parts = resources(request)
    workloads = await parts.catalogue.all()
    alive = bool(await parts.catalogue.workers())
    if form is None:
        form = await _form(request, user.user_id, workloads)
    seen = await parts.store.home(user.user_id)
    titles = {one.name: one.title for one in workloads}
    now = datetime.now(UTC)
    waiting = [task for task in seen.active if task.state is State.QUEUED][-MOST_EXPLAINED:]
    waits = {task.id: await parts.waits.explain(task) for task in waiting}
    usual = await parts.waits.usual()
    values = {
        "position": seen,
        "form": form,
        "usual": usual,  # seconds, by workload
        "workers_alive": alive,
        "examples": offered(workloads),
        "active": [
            row(task, titles.get(task.workload, task.workload), now, waits.get(task.id), usual.get(task.workload))
            for task in seen.active
        ],
        "finished": [row(task, titles.get(task.workload, task.workload), now) for task in _by_end(seen.finished)],
        "counts": _counts(seen.active),
        "blank": blank_row(),
    }
    return render(request, "home.html", values, status=status)


async def expected(request: Request) -> Response:
    """`GET /start/expected`: what the form says of each workload, as it is now."""
    user = await require(request)
    parts = resources(request)
    return json(await start.expectations(parts.waits, user.user_id, await parts.catalogue.all()))


async def tasks(request: Request) -> Response:
    """`GET /tasks`: every filter is in the address."""
    user = await require(request)
    parts = resources(request)
    query = query_of(request.query_params)
    chosen = filter_of(query)
    cursor = request.query_params.get("cursor") or None
    position = await parts.log.position(user.user_id)
    page = await parts.store.page(user.user_id, chosen, PAGE, cursor)
    workloads = await parts.catalogue.all()
    titles = {one.name: one.title for one in workloads}
    now = datetime.now(UTC)
    notice = Notice.read(request.cookies.get(COOKIE))
    values = {
        "position": position,
        "tasks": [row(task, titles.get(task.workload, task.workload), now) for task in page.items],
        "matching": _matching(await parts.bulk.up_to(user.user_id, chosen, MOST_COUNTED + 1)),
        "notice": notice,
        "chosen": query,
        "chips": _chips(query),
        "workloads": workloads,
        "here": address(query),
        "cursor": cursor,
        "next_page": address({**query, "cursor": page.next}) if page.next else None,
    }
    response = render(request, "tasks.html", values)
    if notice:
        response.delete_cookie(COOKIE, path=PATH)
    return response


async def docs(request: Request) -> Response:
    """`GET /docs`: made from the OpenAPI and the AsyncAPI document."""
    user = await identify(request)
    document = request.app.state.openapi
    origin = str(request.base_url).rstrip("/")
    values = {
        "base": "/api/v1",
        "groups": grouped(document),
        "frames": frames(asyncapi()),
        "snippet": shell(origin, user.username if user else "ada", "countdown", {"seconds": 10}),
        "position": await resources(request).log.position(user.user_id) if user else None,
    }
    return render(request, "docs.html", values)


def blank_row() -> Row:
    """A row of nothing: the page's `<template>`, which the script fills."""
    return Row(
        id="", name="", workload="", state="", look=LOOKS[State.QUEUED], percent=None, lead="", message="", clock=None, clock_text="", rest="", line="",
        took="", ended_at=None, created_at=datetime.now(UTC), seed={}, wait=None,
    )  # fmt: skip


async def _form(request: Request, user_id: int, workloads: list[Workload]) -> start.StartForm:
    """The form that the address asks for: a new task, or an earlier one again."""
    parts = resources(request)
    expect = await start.expectations(parts.waits, user_id, workloads)
    earlier = request.query_params.get("again")
    if not earlier:
        chosen = request.query_params.get("workload") or await parts.store.last_workload(user_id)
        known = await parts.catalogue.get(chosen) if chosen else None
        return start.fresh(workloads, known.name if known else None, expect)
    task = await parts.store.get(user_id, _id(earlier))
    workload = await parts.catalogue.get(task.workload)
    names = await start.file_names(parts.files, user_id, workload.schema, task.params) if workload else {}
    return start.again(workloads, task, names, expect)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such task.") from None


def _by_end(ended: list[Task]) -> list[Task]:
    return sorted(ended, key=lambda task: task.finished_at or task.created_at, reverse=True)


def _counts(active: list[Task]) -> str:
    running = sum(task.state is State.RUNNING for task in active)
    waiting = len(active) - running
    return ", ".join(
        text for count, text in ((running, f"{running} running"), (waiting, f"{waiting} waiting")) if count
    )


def _chips(query: dict[str, str]) -> list[dict[str, Any]]:
    words = [("", "All"), *((state.value, LOOKS[state].word) for state in State)]
    return [
        {"word": word, "href": address({**query, "state": state}), "current": state == query["state"]}
        for state, word in words
    ]


def _matching(number: int) -> str:
    return f"{number:,}" if number <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
