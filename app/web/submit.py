"""`POST /tasks`: the start form, by people's browsers with and without script."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import Invalid, NotFound, Refused
from app.resources import Resources
from app.tasks.commands import Accepted, Submission
from app.web import forms, start
from app.web.api import resources
from app.web.auth import require
from app.web.errors import STATUS
from app.web.examples import prepared
from app.web.pages import home_page


async def submit(request: Request) -> Response:
    """303 to the new task; where it is refused, the form as it was sent, with the reason. A script asks for JSON: 202 with the task, or the problem as every call gives it."""
    user = await require(request)
    parts = resources(request)
    async with request.form(max_files=10, max_fields=1000) as form:
        if isinstance(key := form.get("example"), str):
            example, params = await prepared(key, user.user_id, parts.files, request.app.state.static)
            accepted = await parts.tasks.submit(
                user.user_id, Submission(workload=example.workload, params=params, name=example.title)
            )
            return _started(request, accepted)
        sent = await start.receive(form, user.user_id, parts.files)
    try:
        accepted = await _accept(parts, user.user_id, sent)
    except Refused as error:
        if _by_script(request):
            raise
        return await _again(request, user.user_id, sent, error)
    return _started(request, accepted)


async def _accept(parts: Resources, user_id: int, sent: start.Sent) -> Accepted:
    workload = await parts.catalogue.get(sent.workload)
    params: Mapping[str, Any] = {}
    if workload is not None:
        params, errors = forms.params(workload.schema, sent.texts)
        if errors:
            raise Invalid(fields=errors)
    if sent.retry_of:
        return await parts.tasks.retry(user_id, _id(sent.retry_of), params, sent.name or None)
    return await parts.tasks.submit(
        user_id,
        Submission(workload=sent.workload, params=params, name=sent.name or None, key=sent.idempotency_key(params)),
    )


async def _again(request: Request, user_id: int, sent: start.Sent, error: Refused) -> Response:
    parts = resources(request)
    workloads = await parts.catalogue.all()
    workload = await parts.catalogue.get(sent.workload)
    texts = {name.removeprefix(forms.PREFIX): values[-1] for name, values in sent.texts.items()}
    names = await start.file_names(parts.files, user_id, workload.schema, texts) if workload else {}
    alive = bool(await parts.catalogue.workers())
    problem = "" if error.fields else " ".join(filter(None, (error.detail, error.hint)))
    form = start.refused(workloads, sent, problem, error.fields, names, alive=alive)
    return await home_page(request, form, status=next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS))


def _started(request: Request, accepted: Accepted) -> Response:
    page = f"/tasks/{accepted.id}"
    if _by_script(request):
        return Response(accepted.document, 202, {"location": page}, media_type="application/json")
    return RedirectResponse(page, 303)


def _by_script(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such task.") from None
