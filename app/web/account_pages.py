"""The pages that sign people up, in and out."""

import math

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import TasklineError, TooMany, Unauthenticated
from app.web import auth
from app.web.api import resources
from app.web.errors import STATUS
from app.web.templating import render
from app.web.wording import about

_HEADINGS = {"signup": "Sign up", "login": "Log in"}


async def signup_page(request: Request) -> Response:
    """`GET /signup`."""
    return await _form(request, "signup")


async def login_page(request: Request) -> Response:
    """`GET /login`."""
    return await _form(request, "login")


async def sign_up(request: Request) -> Response:
    """`POST /signup`: 303, signed in."""
    return await _enter(request, "signup")


async def log_in(request: Request) -> Response:
    """`POST /login`: 303."""
    return await _enter(request, "login")


async def log_out(request: Request) -> Response:
    """`POST /logout`: 303 to the home page; fine without a session."""
    response = RedirectResponse("/", 303)
    await auth.end_session(request, response)
    return response


async def _form(request: Request, kind: str) -> Response:
    if await auth.identify(request):
        return RedirectResponse(auth.local_path(request.query_params.get("next")), 303)
    return _page(request, kind, next_path=request.query_params.get("next"))


async def _enter(request: Request, kind: str) -> Response:
    async with request.form(max_files=0, max_fields=10) as form:
        sent = {name: str(form.get(name) or "") for name in ("username", "password", "next")}
    accounts = resources(request).accounts
    enter = accounts.sign_up if kind == "signup" else accounts.sign_in
    try:
        user = await enter(sent["username"], sent["password"], address=auth.address(request))
    except TasklineError as error:
        if not isinstance(error, TooMany | Unauthenticated) and not error.fields:
            raise
        return _page(request, kind, username=sent["username"], next_path=sent["next"], error=error)
    response = RedirectResponse(auth.local_path(sent["next"]), 303)
    await auth.start_session(request, response, user)
    return response


def _page(
    request: Request, kind: str, *, username: str = "", next_path: str | None = None, error: TasklineError | None = None
) -> Response:
    """The form, with an error beside its field. Says nothing about which of name and password was wrong."""
    problem, headers, status = "", {}, 200
    if isinstance(error, TooMany):
        problem = f"{error.detail} Try again in {about(max(20.0, error.retry_after)).removeprefix('about ')}."
        headers = {"retry-after": str(max(1, math.ceil(error.retry_after)))}
        status = STATUS[TooMany]
    elif error is not None:
        status = 422
    values = {
        "heading": _HEADINGS[kind],
        "next": auth.local_path(next_path),
        "username": username,
        "errors": {"username": "", "password": "", **(error.fields if error else {})},
        "problem": problem,
    }
    return render(request, f"{kind}.html", values, status=status, headers=headers)
