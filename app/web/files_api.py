"""REST: uploads, and what tasks made. A handler parses, calls one command, answers."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.artifacts.files import File, Files
from app.errors import Expired, Invalid, NotFound, WrongMediaType
from app.tasks.model import Task
from app.web.api import MOST_LISTED, USUALLY_LISTED, json, limit, path_id, resources, task_id
from app.web.auth import require
from app.web.downloads import Download, download
from app.web.multipart import FormStream, Part, is_multipart

NO_FILE: Final = "There is no such file."


async def create_file(request: Request) -> Response:
    """`POST /files`: multipart, one part `file`."""
    user = await require(request)
    if not is_multipart(request):
        raise WrongMediaType("Send the file as multipart/form-data, in a part named file.")
    form, files = FormStream(request, most_files=1, most_fields=10), resources(request).files
    file = None
    try:
        async for part in form.parts():
            if part.name == "file" and part.filename is not None:
                file = await store(part, form, user.user_id, files)
    except BaseException:
        if file is not None:
            await files.discard(file)
        raise
    if file is None:
        raise Invalid(fields={"file": "is required: a part with a filename"})
    return json({"id": file.id, "name": file.name, "size": file.size, "sha256": file.sha256}, 201)


async def store(part: Part, form: FormStream, user_id: int, files: Files) -> File:
    """Store the file that comes next in a form. Raises what `Files.save` raises."""
    said = part.media_type
    media_type = said if said.isascii() and said.isprintable() and said else "application/octet-stream"
    return await files.save(user_id, part.filename or "", media_type, form.chunks(), expected=form.expected)


async def list_files(request: Request) -> Response:
    """`GET /files`."""
    user, files = await require(request), resources(request).files
    found, following = await files.page(
        user.user_id, limit(request, USUALLY_LISTED, MOST_LISTED), request.query_params.get("cursor") or None
    )
    used = await files.room.used(user.user_id)
    return json(
        {
            "items": [_document(file, files) for file in found],
            "next": following,
            "used": used,
            "most": files.room.most,
        }
    )


async def get_file(request: Request) -> Response:
    """`GET /files/{id}`."""
    user, files = await require(request), resources(request).files
    return json(_document(await files.get(user.user_id, file_id(request)), files))


async def get_content(request: Request) -> Response:
    """`GET /files/{id}/content`."""
    user, parts = await require(request), resources(request)
    file = await parts.files.get(user.user_id, file_id(request))
    wanted = Download(
        key=file.key,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        tag=file.sha256,
        modified=file.created_at,
    )
    return await download(request, parts.artifacts, wanted)


async def delete_file(request: Request) -> Response:
    """`DELETE /files/{id}`."""
    user = await require(request)
    await resources(request).files.delete(user.user_id, file_id(request))
    return Response(status_code=204)


async def get_artifact(request: Request) -> Response:
    """`GET /tasks/{id}/artifacts/{name}`: the bytes, always as a download, so that a report's markup never runs in this origin."""
    user, parts = await require(request), resources(request)
    task = await parts.store.get(user.user_id, task_id(request))
    found = next((item for item in task.artifacts if item["name"] == request.path_params["name"]), None)
    if found is None:
        raise NotFound(NO_FILE)
    if expired(task, parts.files.kept):
        raise Expired(hint="Run the task again to have its files anew.")
    return await download(request, parts.artifacts, _artifact(task, found))


def expires_at(task: Task, kept: timedelta) -> datetime | None:
    """When the files go that a task has made; None before its end."""
    return None if task.finished_at is None else task.finished_at + kept


def expired(task: Task, kept: timedelta) -> bool:
    """Whether the files that a task has made are gone by now, or are about to go."""
    at = expires_at(task, kept)
    return at is not None and at <= datetime.now(UTC)


def content_url(file: File) -> str:
    """Where the bytes of an upload are."""
    return f"/api/v1/files/{file.id}/content"


def file_id(request: Request) -> UUID:
    """The id in the path. Raises `NotFound` for one that no file can have."""
    return path_id(request, NO_FILE)


def _artifact(task: Task, found: Mapping[str, Any]) -> Download:
    return Download(
        key=found["key"],
        name=found["name"],
        media_type=found["media_type"],
        size=found["size"],
        tag=hashlib.sha256(found["key"].encode()).hexdigest(),  # nothing is written twice under one key
        modified=task.finished_at or task.created_at,
    )


def _document(file: File, files: Files) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "media_type": file.media_type,
        "created_at": file.created_at,
        "used_at": file.used_at,
        "expires_at": files.expires_at(file),
        "url": content_url(file),
    }
