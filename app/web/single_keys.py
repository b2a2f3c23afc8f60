"""Whether single keys do anything: a choice of this browser, for those who speak to it or press keys by chance (WCAG 2.1.4). With and without a session."""

from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from app.errors import Invalid
from app.web import auth
from app.web.theme import remember

COOKIE: Final = "keys"
CHOICES: Final = {"on": "On", "off": "Off"}  # what people read


def keys_of(connection: HTTPConnection) -> str:
    """What was chosen on this browser."""
    chosen = connection.cookies.get(COOKIE, "on")
    return chosen if chosen in CHOICES else "on"


async def choose(request: Request) -> Response:
    """`POST /account/keys`: 303 back to where it was sent from, with the cookie."""
    async with request.form(max_files=0, max_fields=10) as form:
        chosen, back = form.get("keys"), str(form.get("back") or "/account#keyboard")
    if not isinstance(chosen, str) or chosen not in CHOICES:
        raise Invalid("The keys were left as they are.", fields={"keys": "Choose on or off."})
    response = RedirectResponse(auth.local_path(back), 303)
    remember(request, response, COOKIE, chosen)
    return response
