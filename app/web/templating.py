"""Templates of the pages: the Jinja environment, its filters, and what every page gets."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jinja2
import orjson
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from app.ops.parts import PARTS
from app.web import wording
from app.web.cards import initials
from app.web.static import Static
from app.web.timing import OFTEN, WHEN

SPRITE: Final = "vendor/lucide-2026.11/icons.svg"


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
    environment.globals.update(timing_words={"when": WHEN, "often": OFTEN})
    environment.globals.update(static=static.url, icon=icon, version=version, position=None, parts_away=PARTS)
    environment.filters.update(
        about=wording.about,
        ago=lambda then: wording.ago(then, datetime.now(UTC)),
        duration=wording.duration,
        initials=initials,
        instant=wording.instant,
        json_pretty=_pretty,
        json_text=lambda value: orjson.dumps(value).decode(),
        number=wording.number,
        ordinal=wording.ordinal,
        plural=wording.plural,
        size=wording.size,
    )
    return Jinja2Templates(env=environment, context_processors=[_every_page])


def render(
    request: Request,
    name: str,
    values: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page `name` as an answer."""
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(request, name, dict(values), status_code=status, headers=headers)


def _every_page(request: Request) -> dict[str, Any]:
    """What the frame of a page needs. `identity` is None where nobody is signed in."""
    return {"identity": getattr(request.state, "identity", None), "path": request.url.path}


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
