"""`/operator`: how the whole service does, and the buttons that pause, resume and start failures again. For everybody else there is nothing here."""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.accounts import Identity
from app.errors import NotFound
from app.ops.failures import Cause
from app.web.api import json, resources
from app.web.auth import identify, require, secure
from app.web.operator_view import document
from app.web.templating import render

PATH: Final = "/operator"
# Says once, after the redirect, how many were started again. A cookie, because an address could be made by anybody.
DONE: Final = "retried"


async def page(request: Request) -> Response:
    """`GET /operator`; with `retry`, the key of a cause, the question whether to start its failures again."""
    user = await _operator(request)
    view = await resources(request).overview.view(now=True)
    asked = _cause(view.causes, request.query_params.get("retry"))
    seen = document(view)
    values = {
        "position": await resources(request).log.position(user.user_id),
        "seen": seen,
        "highest": max(1, *(one.ends for one in view.minutes)),
        "asked": asked,
        "title": next((one["title"] for one in seen["failures"] if asked and one["key"] == asked.key), ""),
        "gone": asked is None and "retry" in request.query_params,
        "done": _done(request),
    }
    response = render(request, "operator.html", values)
    if values["done"]:
        response.delete_cookie(DONE, path=PATH)
    return response


async def overview(request: Request) -> Response:
    """`GET /api/v1/operator`: what the page shows, as data."""
    await _operator(request)
    return json(document(await resources(request).overview.view()))


async def pause(request: Request) -> Response:
    """`POST /operator/pause`: 303 back; no more tasks of that workload start."""
    user = await _operator(request)
    await resources(request).pauses.pause(await _sent(request, "workload"), user.user_id)
    return RedirectResponse(f"{PATH}#queues", 303)


async def resume(request: Request) -> Response:
    """`POST /operator/resume`: 303 back; they start again."""
    user = await _operator(request)
    await resources(request).pauses.resume(await _sent(request, "workload"), user.user_id)
    return RedirectResponse(f"{PATH}#queues", 303)


async def retry(request: Request) -> Response:
    """`POST /operator/retry`: 303 back; failures of one cause are started again, as their owners would."""
    await _operator(request)
    try:
        done = await resources(request).overview.failures.retry(await _sent(request, "cause"))
    except NotFound:
        return RedirectResponse(f"{PATH}?retry=gone#failures", 303)
    response = RedirectResponse(f"{PATH}#failures", 303)
    said = f"{done.started}.{done.refused}"
    response.set_cookie(DONE, said, max_age=60, path=PATH, secure=secure(request), httponly=True, samesite="strict")
    return response


async def _operator(request: Request) -> Identity:
    """Who asks. Others get the same answer as at an address where nothing is."""
    user = await identify(request)
    if user is None or not user.operates:
        raise HTTPException(404)
    return await require(request)


def _cause(causes: list[Cause], key: str | None) -> Cause | None:
    return next((one for one in causes if one.key == key), None)


def _done(request: Request) -> dict[str, int] | None:
    started, _, refused = request.cookies.get(DONE, "").partition(".")
    if not (started.isdecimal() and refused.isdecimal() and len(started + refused) < 12):
        return None
    return {"started": int(started), "refused": int(refused)}


async def _sent(request: Request, name: str) -> str:
    async with request.form(max_files=0, max_fields=10) as form:
        value: Any = form.get(name)
        return str(value or "")
