"""Templates of the pages: the Jinja environment, its filters, and what every page gets."""

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import jinja2
import orjson
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.templating import Jinja2Templates
from starlette.types import Receive, Scope, Send

from app.errors import Unavailable
from app.notifications.model import Reading
from app.ops.parts import PARTS
from app.web import wording
from app.web.cards import initials
from app.web.single_keys import keys_of
from app.web.static import Static
from app.web.theme import theme_of
from app.web.timing import OFTEN, WHEN

SPRITE: Final = "vendor/lucide-2026.11/icons.svg"
SQUEEZE: Final = 5  # level: 34 kB become 6 in 0.5 ms


def open_templates(folder: Path, static: Static, *, version: str) -> Jinja2Templates:
    """The templates of `folder`. A name that a template uses and nobody gave is an error, not an empty text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    sprite = static.url(SPRITE)

    def icon(name: str) -> Markup:
        return Markup('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>').format(sprite, name)

    # A page that goes on live gives its own `position`; the others have none.
    environment.globals.update(shortcut=shortcut, timing_words={"when": WHEN, "often": OFTEN})
    environment.globals.update(static=static.url, icon=icon, version=version, position=None, parts_away=PARTS)
    environment.filters.update(
        about=wording.about,
        ago=lambda then: wording.ago(then, datetime.now(UTC)),
        capped=wording.capped,
        duration=wording.duration,
        initials=initials,
        instant=wording.instant,
        json_pretty=_pretty,
        json_text=lambda value: orjson.dumps(value).decode(),
        number=wording.number,
        ordinal=wording.ordinal,
        plural=wording.plural,
        size=wording.size,
        took=wording.length,
    )
    return Jinja2Templates(env=environment, context_processors=[_every_page])


def shortcut(single_keys: str, key: str) -> Markup:
    """That a key reaches this control; nothing where single keys are off."""
    return Markup(' aria-keyshortcuts="{}"').format(key) if single_keys == "on" else Markup()


def render(
    request: Request,
    name: str,
    values: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> "Page":
    """The page `name` as an answer."""
    return Page(request, name, values, status, headers)


class Page(HTMLResponse):
    """Written when it is sent. How much is unread is read last: what happens after the page's position comes over the websocket, and must not count twice."""

    def __init__(
        self, request: Request, name: str, values: Mapping[str, Any], status: int, headers: Mapping[str, str] | None
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        del self.headers["content-length"]
        self._request = request
        self._name = name
        self._values = values

    async def write(self) -> None:
        """Make the body now."""
        templates: Jinja2Templates = self._request.app.state.templates
        values = {"reading": await self._reading(), **self._values}
        self.body = bytes(templates.TemplateResponse(self._request, self._name, values).body)
        self.headers.add_vary_header("Accept-Encoding")
        if self._may_be_squeezed():
            self.body = gzip.compress(self.body, SQUEEZE, mtime=0)
            self.headers["content-encoding"] = "gzip"
        self.headers["content-length"] = str(len(self.body))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, written."""
        if not self.body:
            await self.write()
        await super().__call__(scope, receive, send)

    def _may_be_squeezed(self) -> bool:
        # Only where nothing comes back that the request has brought: the length of a text and a guess, squeezed together, tells whether the guess is in the text.
        request = self._request
        said = request.method == "GET" and not request.url.query
        return said and "gzip" in request.headers.get("accept-encoding", "")

    async def _reading(self) -> Reading | None:
        """How far the person has read, for the bell in the bar. None: nobody is signed in, or the database is not to be asked."""
        identity = getattr(self._request.state, "identity", None)
        state = self._request.app.state
        if identity is None or self.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or "database" in state.monitor.down:
            return None
        try:
            found: Reading = await state.resources.notifications.reading(identity.user_id)
        except Unavailable:
            return None
        return found


def _every_page(request: Request) -> dict[str, Any]:
    """What the frame of a page needs. `identity` is None where nobody is signed in."""
    return {
        "identity": getattr(request.state, "identity", None),
        "path": request.url.path,
        "theme": theme_of(request),
        "single_keys": keys_of(request),
    }


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
