"""`POST /tasks`: the start form, by people's browsers with and without script."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import Invalid, NotFound, Refused
from app.resources import Resources
from app.schedules.commands import Plan
from app.schedules.model import Schedule, document
from app.tasks.chain_plans import Plan as Following
from app.tasks.commands import Accepted, Submission
from app.web import chain_form, forms, start
from app.web.api import json, resources
from app.web.auth import require
from app.web.errors import STATUS
from app.web.examples import prepared
from app.web.pages import home_page


async def submit(request: Request) -> Response:
    """303 to the new task; where it is refused, the form as it was sent, with the reason. A script asks for JSON: 202 with the task, or the problem as every call gives it."""
    user = await require(request)
    parts = resources(request)
    sent = await start.receive(request, user.user_id, parts.files)
    if key := sent.texts.get("example"):
        example, params = await prepared(key[-1], user.user_id, parts.files, request.app.state.static)
        accepted = await parts.tasks.submit(
            user.user_id, Submission(workload=example.workload, params=params, name=example.title)
        )
        return _started(request, accepted)
    if chain_form.unseen(sent.texts) and not sent.retry_of:
        return await _again(request, user.user_id, sent)
    try:
        if sent.timing.when == "often":
            return _scheduled(request, await _schedule(parts, user.user_id, sent))
        accepted = await _accept(parts, user.user_id, sent)
    except Refused as error:
        if _by_script(request):
            raise
        return await _again(request, user.user_id, sent, error)
    return _started(request, accepted)


async def _accept(parts: Resources, user_id: int, sent: start.Sent) -> Accepted:
    params, following = await _asked(parts, sent)
    if sent.retry_of:
        return await parts.tasks.retry(user_id, _id(sent.retry_of), params, sent.name or None)
    return await parts.tasks.submit(
        user_id,
        Submission(
            workload=sent.workload,
            params=params,
            name=sent.name or None,
            run_at=sent.timing.run_at(),
            key=sent.idempotency_key(params, following),
            then=following,
        ),
    )


async def _schedule(parts: Resources, user_id: int, sent: start.Sent) -> Schedule:
    params, following = await _asked(parts, sent)
    return await parts.schedules.create(
        user_id,
        Plan(
            workload=sent.workload,
            params=params,
            name=sent.name or None,
            key=sent.idempotency_key(params, following),
            then=following,
            **sent.timing.plan(),
        ),
    )


async def _asked(parts: Resources, sent: start.Sent) -> tuple[Mapping[str, Any], Following | None]:
    """The params, and what is to follow. Raises `Invalid` that names all that cannot be read."""
    workload = await parts.catalogue.get(sent.workload)
    params, errors = forms.params(workload.schema, sent.texts) if workload else ({}, {})
    following: Following | None = None
    try:
        if not sent.retry_of:  # which goes on as it did before
            following = chain_form.plan(await parts.catalogue.get(chain_form.chosen(sent.texts)), sent.texts)
    except Invalid as error:
        errors = {**errors, **error.fields}
    if errors:
        raise Invalid(fields=errors)
    return params, following


async def _again(request: Request, user_id: int, sent: start.Sent, error: Refused | None = None) -> Response:
    """The form as it was sent: with what is wrong, or with more to fill in."""
    parts = resources(request)
    workloads = await parts.catalogue.all()
    workload = await parts.catalogue.get(sent.workload)
    texts = {name.removeprefix(forms.PREFIX): values[-1] for name, values in sent.texts.items()}
    names = await start.file_names(parts.files, user_id, workload.schema, texts) if workload else {}
    fields = error.fields if error else {}
    problem = " ".join(filter(None, (error.detail, error.hint))) if error and not fields else ""
    expect = await start.expectations(parts.waits, user_id, workloads)
    form = start.refused(workloads, sent, problem, fields, names, expect)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 200)
    return await home_page(request, form, status=status)


def _started(request: Request, accepted: Accepted) -> Response:
    page = f"/tasks/{accepted.id}"
    if _by_script(request):
        return Response(accepted.document, 202, {"location": page}, media_type="application/json")
    return RedirectResponse(page, 303)


def _scheduled(request: Request, schedule: Schedule) -> Response:
    if _by_script(request):
        return json(document(schedule, None), 201, headers={"location": "/schedules"})
    return RedirectResponse("/schedules", 303)


def _by_script(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such task.") from None
