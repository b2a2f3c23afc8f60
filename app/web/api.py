"""REST: tasks, files, workloads. A handler parses, calls one command, answers."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.errors import Invalid, NotFound, WrongMediaType
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
CHUNK: Final = 256 * 1024  # bytes


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
        rest = parsed(TaskBody, {name: part for name, part in sent.items() if name not in error.fields})
        more = await tasks.problems(user.user_id, Submission(**dict(rest), key=key))
        if "params" in error.fields:  # which were left out, so that nothing is known of them
            more = {name: text for name, text in more.items() if name in rest.model_fields_set}
        raise Invalid(fields={**more, **error.fields}) from None
    return _accepted(await tasks.submit(user.user_id, Submission(**dict(body), key=key)))


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


async def get_artifact(request: Request) -> Response:
    """`GET /tasks/{id}/artifacts/{name}`: the bytes, always as a download, so that a report's markup never runs in this origin."""
    user = await require(request)
    task = await resources(request).store.get(user.user_id, task_id(request))
    found = next((item for item in task.artifacts if item["name"] == request.path_params["name"]), None)
    if found is None:
        raise NotFound("There is no such file.")
    disposition = f"attachment; filename*=UTF-8''{quote(found['name'])}"
    chunks = await resources(request).artifacts.read(found["key"])
    headers = {
        "content-disposition": disposition,
        "content-length": str(found["size"]),
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(chunks, media_type=found["media_type"], headers=headers)


async def create_file(request: Request) -> Response:
    """`POST /files`: multipart, one part `file`."""
    user = await require(request)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise WrongMediaType("Send the file as multipart/form-data, in a part named file.")
    async with request.form(max_files=1, max_fields=10) as form:
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise Invalid(fields={"file": "is required: a part with a filename"})
        file = await resources(request).files.save(
            user.user_id, upload.filename or "", media_type_of(upload), chunks_of(upload)
        )
    return json({"id": file.id, "name": file.name, "size": file.size, "sha256": file.sha256}, 201)


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
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise NotFound("There is no such task.") from None


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


async def chunks_of(upload: UploadFile) -> AsyncIterator[bytes]:
    """The bytes of an upload, piece by piece."""
    while chunk := await upload.read(CHUNK):
        yield chunk


def media_type_of(upload: UploadFile) -> str:
    """What the client said that the upload is, where that is something to store and to say again."""
    said = upload.content_type or ""
    return said if said.isascii() and said.isprintable() and said else "application/octet-stream"


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
