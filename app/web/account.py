"""`/account`: what somebody has stored here, and until when."""

from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.artifacts.files import File, Files
from app.errors import Conflict
from app.web.api import resources
from app.web.auth import require
from app.web.errors import STATUS
from app.web.files_api import content_url, file_id
from app.web.templating import render
from app.web.wording import day

PAGE = 50  # files


@dataclass(frozen=True, slots=True)
class Kept:
    """An upload as the page shows it."""

    id: str
    name: str
    size: int
    url: str
    until: str


async def account(request: Request) -> Response:
    """`GET /account`."""
    return await _page(request)


async def delete_file(request: Request) -> Response:
    """`POST /account/files/{id}/delete`: 303 back; where a task needs the file, the page again, with the reason."""
    user = await require(request)
    try:
        await resources(request).files.delete(user.user_id, file_id(request))
    except Conflict as error:
        return await _page(request, f"{error.detail} {error.hint or ''}".strip())
    return RedirectResponse("/account#files", 303)


async def _page(request: Request, problem: str = "") -> Response:
    user, files = await require(request), resources(request).files
    cursor = request.query_params.get("cursor") or None
    found, following = await files.page(user.user_id, PAGE, cursor)
    used = await files.room.used(user.user_id)
    now = datetime.now(UTC)
    values = {
        "position": await resources(request).log.position(user.user_id),
        "uploads": [_kept(file, files, now) for file in found],
        "used": used,
        "most": files.room.most,
        "percent": min(100.0, round(used / files.room.most * 100, 2)),
        "days": f"{files.kept.total_seconds() / 86_400:g}",
        "next_page": f"/account?cursor={following}" if following else None,
        "problem": problem,
    }
    return render(request, "account.html", values, status=STATUS[Conflict] if problem else 200)


def _kept(file: File, files: Files, now: datetime) -> Kept:
    at = files.expires_at(file)
    until = f"until {day(at)}" if at > now else "as long as a task needs it"
    return Kept(str(file.id), file.name, file.size, content_url(file), until)
