"""REST: tasks and workloads. A handler parses, calls one command, answers."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.errors import Invalid, NotFound
from app.resources import Resources
from app.tasks.commands import Accepted, Submission
from app.tasks.document import card, document
from app.tasks.model import TaskFilter
from app.tasks.states import State
from app.web.auth import require
from app.web.body import read_json
from app.web.inputs import RetryBody, TaskBody, parsed

USUALLY_LISTED: Final = 50
MOST_LISTED: Final = 200


async def create_task(request: Request) -> Response:
    """`POST /tasks`."""
    user = await require(request)
    sent, key, tasks = await read_json(request), request.headers.get("idempotency-key"), resources(request).tasks
    try:
        body = parsed(TaskBody, sent)
    except Invalid as error:
        if "workload" in error.fields:
            raise
        # What can be read is checked too: one answer names every wrong field.
        wrong = {name.partition(".")[0] for name in error.fields}
        rest = parsed(TaskBody, {name: part for name, part in sent.items() if name not in wrong})
        more = await tasks.problems(user.user_id, Submission(**rest.fields(), key=key))
        if "params" in error.fields:  # which were left out, so that nothing is known of them
            more = {name: text for name, text in more.items() if name in rest.model_fields_set}
        raise Invalid(fields={**more, **error.fields}) from None
    return _accepted(await tasks.submit(user.user_id, Submission(**body.fields(), key=key)))


async def list_tasks(request: Request) -> Response:
    """`GET /tasks`."""
    user = await require(request)
    query = request.query_params
    chosen = TaskFilter(state=_state(query.get("state")), workload=_text(request, "workload"), q=_text(request, "q"))
    page = await resources(request).store.page(
        user.user_id, chosen, limit(request, USUALLY_LISTED, MOST_LISTED), query.get("cursor") or None
    )
    headers = {}
    if page.next:
        following = urlencode({**dict(query), "cursor": page.next})
        headers["link"] = f'<{request.url.path}?{following}>; rel="next"'
    return json({"items": [card(task) for task in page.items], "next": page.next}, headers=headers)


async def get_task(request: Request) -> Response:
    """`GET /tasks/{id}`."""
    user = await require(request)
    task = await resources(request).store.get(user.user_id, task_id(request))
    wait = await resources(request).waits.explain(task)
    return json(document(task, wait.document() if wait else None))


async def delete_task(request: Request) -> Response:
    """`DELETE /tasks/{id}`."""
    user = await require(request)
    await resources(request).tasks.delete(user.user_id, task_id(request))
    return Response(status_code=204)


async def task_chain(request: Request) -> Response:
    """`GET /tasks/{id}/chain`."""
    user = await require(request)
    task = await resources(request).store.get(user.user_id, task_id(request))
    chains = resources(request).chains
    following = await chains.of(user.user_id, task.id)
    before = await chains.before(user.user_id, task.id)
    return json({"after": before, "then": following.document() if following else None})


async def cancel_task(request: Request) -> Response:
    """`POST /tasks/{id}/cancel`."""
    user = await require(request)
    task = await resources(request).tasks.cancel(user.user_id, task_id(request))
    return json(document(task), 202)


async def retry_task(request: Request) -> Response:
    """`POST /tasks/{id}/retry`."""
    user = await require(request)
    body = parsed(RetryBody, await read_json(request, optional=True))
    return _accepted(await resources(request).tasks.retry(user.user_id, task_id(request), body.params, body.name))


async def task_events(request: Request) -> Response:
    """`GET /tasks/{id}/events`."""
    user = await require(request)
    frames = await resources(request).log.of_task(user.user_id, task_id(request))
    if not frames:
        raise NotFound("There is no such task.")
    return Response(f'{{"items":[{",".join(frame.text for frame in frames)}]}}', media_type="application/json")


async def list_workloads(request: Request) -> Response:
    """`GET /workloads`."""
    await require(request)
    workloads = await resources(request).catalogue.all()
    shown = ("name", "version", "title", "description", "schema", "limits", "timeout_s", "max_attempts")
    return json({"items": [{name: getattr(workload, name) for name in shown} for workload in workloads]})


def resources(request: Request) -> Resources:
    """What this process is made of."""
    found: Resources = request.app.state.resources
    return found


def task_id(request: Request) -> UUID:
    """The id in the path. Raises `NotFound` for one that no task can have."""
    return path_id(request, "There is no such task.")


def path_id(request: Request, missing: str) -> UUID:
    """The id in the path. Raises `NotFound`, which says `missing`, for what is no id."""
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise NotFound(missing) from None


def limit(request: Request, usual: int, most: int) -> int:
    """`?limit=`. Raises `Invalid`."""
    text = request.query_params.get("limit")
    if text is None:
        return usual
    # The length first: Python refuses to read numbers of thousands of digits.
    if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
        raise Invalid(fields={"limit": f"takes a whole number from 1 to {most}"})
    return int(text)


def json(value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """An answer."""
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def _accepted(accepted: Accepted) -> Response:
    return Response(accepted.document, 202, {"location": f"/api/v1/tasks/{accepted.id}"}, media_type="application/json")


def _text(request: Request, name: str) -> str | None:
    text = request.query_params.get(name)
    if text and "\0" in text:
        raise Invalid(fields={name: "must not hold a NUL character"})
    return text or None


def _state(text: str | None) -> State | None:
    if not text:
        return None
    try:
        return State(text)
    except ValueError:
        raise Invalid(fields={"state": f"takes one of {', '.join(State)}"}) from None
