"""REST: notifications. A handler parses, calls one command, answers."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from app.notifications.model import Notice
from app.tasks.document import card
from app.web import marking
from app.web.api import json, limit, resources
from app.web.auth import require
from app.web.body import read_json
from app.web.following import sequence_number
from app.web.inputs import parsed

USUALLY_LISTED: Final = 50
MOST_LISTED: Final = 200
LARGEST_SEQ: Final = 2**63 - 1


class MarkBody(BaseModel):
    """Up to where somebody has read."""

    model_config = ConfigDict(extra="forbid", strict=True)
    seq: Annotated[int, Field(ge=0, le=LARGEST_SEQ, description="The seq of the last event that was read")]


async def list_notifications(request: Request) -> Response:
    """`GET /notifications`."""
    user = await require(request)
    asked = request.query_params.get("before")
    page = await resources(request).notifications.page(
        user.user_id,
        limit(request, USUALLY_LISTED, MOST_LISTED),
        before=None if asked is None else sequence_number(asked, "before"),
        unread=request.query_params.get("unread") == "1",
    )
    reading = await resources(request).notifications.reading(user.user_id)
    return json({"items": [_document(one) for one in page.items], "next": page.next, "reading": reading.document()})


async def mark_read(request: Request) -> Response:
    """`POST /notifications/read`."""
    user = await require(request)
    body = parsed(MarkBody, await read_json(request))
    await marking.mark(request, user.user_id, body.seq)
    return await _reading(request, user.user_id)


async def mute(request: Request) -> Response:
    """`PUT /notifications/muted/{workload}`."""
    user = await require(request)
    await marking.mute(request, user.user_id, request.path_params["workload"])
    return await _reading(request, user.user_id)


async def unmute(request: Request) -> Response:
    """`DELETE /notifications/muted/{workload}`."""
    user = await require(request)
    await marking.unmute(request, user.user_id, request.path_params["workload"])
    return await _reading(request, user.user_id)


async def _reading(request: Request, user_id: int) -> Response:
    return json((await resources(request).notifications.reading(user_id)).document())


def _document(notice: Notice) -> dict[str, object]:
    return {"seq": notice.seq, "at": notice.at, "unread": notice.unread, "task": card(notice.task)}
