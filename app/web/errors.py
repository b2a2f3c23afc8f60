"""The one place where errors become HTTP: problem+json (RFC 9457) for the API and programs, a page for people."""

import logging
import math
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from app import errors
from app.web.auth import identify
from app.web.templating import render

log = logging.getLogger(__name__)

STATUS: Final[dict[type[BaseException], int]] = {
    errors.NotFound: 404,
    errors.Expired: 410,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Refused: 409,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.TooMany: 429,
    errors.TooLarge: 413,
    errors.WrongMediaType: 415,
    errors.Unavailable: 503,
}
# The standard library calls these otherwise before Python 3.13.
TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
# What the router says, in words for people.
DETAILS: Final = {
    "Not Found": errors.NotFound.__doc__ or "",
    "Method Not Allowed": "This address does not take that method.",
}
RETRY_UNAVAILABLE = 5  # seconds
UNEXPECTED = "Something went wrong on our side; it has been logged."


async def answer(connection: HTTPConnection, error: Exception) -> Response:
    """What the client gets for `error`. Never shows a trace; the log has it, with the request's id."""
    for_program = _for_program(connection)
    if isinstance(error, errors.Unauthenticated) and not for_program and connection.scope["type"] == "http":
        return _to_login(connection)
    status, detail, headers = _describe(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log(connection, error, status)
    problem = {
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": error.fields if isinstance(error, errors.TasklineError) else {},
        "hint": error.hint if isinstance(error, errors.TasklineError) else None,
        "request_id": connection.scope.get("state", {}).get("request_id"),
    }
    if for_program:
        return _problem(problem, headers)
    try:
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            # The bar of the page says who is signed in, also where no handler has asked.
            await identify(connection)
        page = render(Request(connection.scope), "error.html", problem, status=status, headers=headers)
        await page.write()  # here, where a failure is still answered
    except Exception:
        log.exception("the error page itself failed")
        return _problem(problem, headers)
    return page


HANDLERS: Final = {HTTPException: answer, errors.TasklineError: answer}


def _for_program(connection: HTTPConnection) -> bool:
    return connection.scope["path"].startswith("/api/") or "text/html" not in connection.headers.get("accept", "")


def _to_login(connection: HTTPConnection) -> Response:
    if connection.scope.get("method") not in ("GET", "HEAD"):
        return RedirectResponse("/login", 303)
    query = connection.scope["query_string"].decode("latin-1")
    return RedirectResponse(
        f"/login?next={quote(connection.scope['path'] + (f'?{query}' if query else ''), safe='/')}", 303
    )


def _describe(error: Exception) -> tuple[int, str, dict[str, str]]:
    if isinstance(error, HTTPException):
        return error.status_code, DETAILS.get(error.detail, error.detail), dict(error.headers or {})
    if not isinstance(error, errors.TasklineError):
        return 500, UNEXPECTED, {}
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    headers = {}
    if isinstance(error, errors.TooMany):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_UNAVAILABLE)
    return status, error.detail, headers


def _problem(problem: dict[str, Any], headers: dict[str, str]) -> Response:
    body = orjson.dumps({name: value for name, value in problem.items() if value is not None})
    return Response(body, problem["status"], headers, media_type="application/problem+json")


def _log(connection: HTTPConnection, error: Exception, status: int) -> None:
    request_id = connection.scope.get("state", {}).get("request_id")
    if isinstance(error, errors.TasklineError):
        # The monitor says it once, the access log names the request.
        log.debug("%d for request %s: %s", status, request_id, error.detail)
    else:
        log.error("%d for request %s", status, request_id, exc_info=error)
