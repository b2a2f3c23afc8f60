"""Light, dark, or as the system has it: a choice of this browser, kept in a cookie, with and without a session."""

from datetime import timedelta
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from app.errors import Invalid
from app.web import auth

COOKIE: Final = "theme"
KEPT: Final = timedelta(days=365)
SYSTEM: Final = "system"
THEMES: Final = {"light": "Light", "dark": "Dark", SYSTEM: "System"}  # what people read


def theme_of(connection: HTTPConnection) -> str:
    """What was chosen on this browser."""
    chosen = connection.cookies.get(COOKIE, SYSTEM)
    return chosen if chosen in THEMES else SYSTEM


async def choose(request: Request) -> Response:
    """`POST /account/theme`: 303 back, with the cookie."""
    async with request.form(max_files=0, max_fields=10) as form:
        chosen = form.get("theme")
    if not isinstance(chosen, str) or chosen not in THEMES:
        raise Invalid("The theme was not changed.", fields={"theme": "Choose one of the three."})
    response = RedirectResponse("/account#appearance", 303)
    remember(request, response, COOKIE, chosen)
    return response


def remember(request: Request, response: Response, name: str, chosen: str) -> None:
    """Keep what somebody chose for this browser."""
    response.set_cookie(
        name,
        chosen,
        max_age=int(KEPT.total_seconds()),
        path="/",
        secure=auth.secure(request),
        httponly=True,
        samesite="lax",
    )
