"""The calls about schedules, as the OpenAPI document describes them."""

from typing import Final

from app.tasks.commands import LONGEST_KEY
from app.web import schedules_api
from app.web.call import Call, in_header, in_path, limit
from app.web.shapes import ref

_SCHEDULE: Final = in_path("id", "The schedule")

SCHEDULE_CALLS: Final[dict[str, dict[str, Call]]] = {
    "/api/v1/schedules": {
        "post": Call(
            id="createSchedule",
            tag="Schedules",
            summary="Start tasks at a time, or again and again",
            description="Each time starts one task, whatever is restarted meanwhile. 409 where you have as many schedules as you may.",
            parameters=[
                in_header(
                    "Idempotency-Key",
                    "The same key with the same body finds the same schedule; with another body it is refused",
                    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
                )
            ],
            body=ref("ScheduleBody"),
            answers={201: ("The schedule is stored", ref("Schedule"))},
            headers={"Location": "The schedule"},
            problems=(409,),
        ),
        "get": Call(
            id="listSchedules",
            tag="Schedules",
            summary="List schedules, the newest first",
            answers={200: ("All of them", ref("ScheduleList"))},
        ),
    },
    "/api/v1/schedules/{id}": {
        "get": Call(
            id="getSchedule",
            tag="Schedules",
            summary="Look at a schedule",
            parameters=[_SCHEDULE],
            answers={200: ("The schedule", ref("Schedule"))},
        ),
        "patch": Call(
            id="changeSchedule",
            tag="Schedules",
            summary="Change, pause or resume a schedule",
            parameters=[_SCHEDULE],
            body=ref("ScheduleChange"),
            answers={200: ("The schedule as it is now", ref("Schedule"))},
            problems=(409,),
        ),
        "delete": Call(
            id="deleteSchedule",
            tag="Schedules",
            summary="Delete a schedule",
            description="What it has started stays.",
            parameters=[_SCHEDULE],
            answers={204: ("It is gone", None)},
        ),
    },
    "/api/v1/schedules/{id}/runs": {
        "get": Call(
            id="listRuns",
            tag="Schedules",
            summary="What became of a schedule's times",
            description="The newest first; of older ones than the last thousand nothing is kept.",
            parameters=[_SCHEDULE, limit(schedules_api.USUALLY_LISTED, schedules_api.MOST_LISTED)],
            answers={200: ("Its runs", ref("RunList"))},
            problems=(422,),
        )
    },
}
