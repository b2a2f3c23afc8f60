"""REST: schedules. A handler parses, calls one command, answers."""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound
from app.schedules.commands import Plan
from app.schedules.model import document, run_document
from app.schedules.store import NO_SCHEDULE
from app.web.api import json, limit, resources
from app.web.auth import require
from app.web.body import read_json
from app.web.inputs import ScheduleBody, ScheduleChange, parsed

USUALLY_LISTED: Final = 50
MOST_LISTED: Final = 200


async def create_schedule(request: Request) -> Response:
    """`POST /schedules`."""
    user = await require(request)
    body = parsed(ScheduleBody, await read_json(request))
    plan = Plan(**body.fields(), key=request.headers.get("idempotency-key"))
    schedule = await resources(request).schedules.create(user.user_id, plan)
    return json(document(schedule, None), 201, headers={"location": f"/api/v1/schedules/{schedule.id}"})


async def list_schedules(request: Request) -> Response:
    """`GET /schedules`."""
    user = await require(request)
    found = await resources(request).schedules.all(user.user_id)
    return json({"items": [document(schedule, last) for schedule, last in found]})


async def get_schedule(request: Request) -> Response:
    """`GET /schedules/{id}`."""
    user = await require(request)
    return json(document(*await resources(request).schedules.get(user.user_id, schedule_id(request))))


async def change_schedule(request: Request) -> Response:
    """`PATCH /schedules/{id}`."""
    user = await require(request)
    schedules, chosen = resources(request).schedules, schedule_id(request)
    changes = parsed(ScheduleChange, await read_json(request)).fields()
    await schedules.change(user.user_id, chosen, changes)
    return json(document(*await schedules.get(user.user_id, chosen)))


async def delete_schedule(request: Request) -> Response:
    """`DELETE /schedules/{id}`."""
    user = await require(request)
    await resources(request).schedules.delete(user.user_id, schedule_id(request))
    return Response(status_code=204)


async def list_runs(request: Request) -> Response:
    """`GET /schedules/{id}/runs`."""
    user = await require(request)
    most = limit(request, USUALLY_LISTED, MOST_LISTED)
    runs = await resources(request).schedules.runs(user.user_id, schedule_id(request), most)
    return json({"items": [run_document(run) for run in runs]})


def schedule_id(request: Request) -> UUID:
    """The id in the path. Raises `NotFound` for one that no schedule can have."""
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise NotFound(NO_SCHEDULE) from None
