"""`/account`: the password, where somebody is logged in, and what they have stored here and until when."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.accounts import OpenSession
from app.artifacts.files import File, Files
from app.errors import Conflict, Invalid, TasklineError, TooMany
from app.web.api import resources
from app.web.auth import address, require, secure
from app.web.devices import device
from app.web.errors import STATUS
from app.web.files_api import content_url, file_id
from app.web.single_keys import CHOICES
from app.web.templating import render
from app.web.theme import THEMES
from app.web.wording import ago, day

PAGE = 50  # files
MOST_SESSIONS = 50  # shown; a program may begin thousands
# Says once, after the redirect, that the password was changed. A cookie, because an address could be made by anybody.
CHANGED: Final = "changed"
CHANGED_PATH: Final = "/account"


@dataclass(frozen=True, slots=True)
class Kept:
    """An upload as the page shows it."""

    id: str
    name: str
    size: int
    url: str
    until: str


@dataclass(frozen=True, slots=True)
class Place:
    """A session as the page shows it."""

    name: str
    device: str
    facts: str
    own: bool


async def account(request: Request) -> Response:
    """`GET /account`."""
    return await _page(request)


async def change_password(request: Request) -> Response:
    """`POST /account/password`: 303 back, the other sessions have ended; else the page again, each reason beside its field."""
    user = await require(request)
    async with request.form(max_files=0, max_fields=10) as form:
        current, new = (str(form.get(name) or "") for name in ("current", "new"))
    parts = resources(request)
    try:
        ended = await parts.accounts.change_password(user, current, new, address=address(request))
    except (Invalid, TooMany) as error:
        return await _page(request, refused=error)
    await parts.sessions.tell(ended)
    response = RedirectResponse("/account#password", 303)
    response.set_cookie(
        CHANGED, "password", max_age=60, path=CHANGED_PATH, secure=secure(request), httponly=True, samesite="strict"
    )
    return response


async def end_session(request: Request) -> Response:
    """`POST /account/sessions/{name}/end`: 303 back; that session of the same user has ended."""
    user = await require(request)
    await resources(request).sessions.end_named(user, request.path_params["name"])
    return RedirectResponse("/account#sessions", 303)


async def end_other_sessions(request: Request) -> Response:
    """`POST /account/sessions/end-others`: 303 back; this session alone is left."""
    user = await require(request)
    await resources(request).sessions.end_all(user.user_id, keep=user.session)
    return RedirectResponse("/account#sessions", 303)


async def delete_file(request: Request) -> Response:
    """`POST /account/files/{id}/delete`: 303 back; where a task needs the file, the page again, with the reason."""
    user = await require(request)
    try:
        await resources(request).files.delete(user.user_id, file_id(request))
    except Conflict as error:
        return await _page(request, refused=error)
    return RedirectResponse("/account#files", 303)


async def _page(request: Request, *, refused: TasklineError | None = None) -> Response:
    user, files = await require(request), resources(request).files
    sessions = await resources(request).sessions.open_of(user, most=MOST_SESSIONS)
    cursor = request.query_params.get("cursor") or None
    found, following = await files.page(user.user_id, PAGE, cursor)
    used = await files.room.used(user.user_id)
    now = datetime.now(UTC)
    why = f"{refused.detail} {refused.hint or ''}".strip() if refused else ""
    values = {
        "position": await resources(request).log.position(user.user_id),
        "errors": {"current": "", "new": "", **(refused.fields if isinstance(refused, Invalid) else {})},
        "too_many": why if isinstance(refused, TooMany) else "",
        "changed": refused is None and CHANGED in request.cookies,
        "sessions": [_place(session, now) for session in sessions],
        "most_sessions": MOST_SESSIONS,
        "uploads": [_kept(file, files, now) for file in found],
        "used": used,
        "most": files.room.most,
        "percent": min(100.0, round(used / files.room.most * 100, 2)),
        "days": f"{files.kept.total_seconds() / 86_400:g}",
        "next_page": f"/account?cursor={following}" if following else None,
        "problem": why if isinstance(refused, Conflict) else "",
        "themes": THEMES,
        "key_choices": CHOICES,
    }
    headers = {"retry-after": str(math.ceil(refused.retry_after))} if isinstance(refused, TooMany) else None
    status = next((STATUS[kind] for kind in type(refused).__mro__ if kind in STATUS), 200)
    response = render(request, "account.html", values, status=status, headers=headers)
    if values["changed"]:
        response.delete_cookie(CHANGED, path=CHANGED_PATH)
    return response


def _place(session: OpenSession, now: datetime) -> Place:
    seen = "in use now" if session.own else f"last seen {ago(session.seen_at, now)}"
    facts = (session.address, seen, f"logged in {ago(session.started_at, now)}")
    return Place(session.name, device(session.user_agent), ", ".join(fact for fact in facts if fact), session.own)


def _kept(file: File, files: Files, now: datetime) -> Kept:
    at = files.expires_at(file)
    until = f"until {day(at)}" if at > now else "as long as a task needs it"
    return Kept(str(file.id), file.name, file.size, content_url(file), until)
