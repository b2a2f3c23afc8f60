"""The calls about notifications, and their JSON, as the OpenAPI document describes them."""

from typing import Final

from app.web import notifications_api
from app.web.call import Call, in_path, in_query, limit
from app.web.notifications_api import MarkBody
from app.web.shapes import COUNT, TEXT, TIME, Schema, ref

_WORKLOAD: Final = in_path("workload", "The name of the workload", TEXT)
_NOW: Final = {200: ("How far you have read now", ref("Reading"))}

NOTIFICATION_CALLS: Final[dict[str, dict[str, Call]]] = {
    "/api/v1/notifications": {
        "get": Call(
            id="listNotifications",
            tag="Notifications",
            summary="List the ends of tasks, the newest first",
            description="Tasks that were deleted are left out.",
            parameters=[
                in_query("unread", "1: only what is unread", {"enum": ["1"]}),
                limit(notifications_api.USUALLY_LISTED, notifications_api.MOST_LISTED),
                in_query("before", "What was next on the page before", COUNT),
            ],
            answers={200: ("A page, and how far you have read", ref("NoticePage"))},
            problems=(422,),
        )
    },
    "/api/v1/notifications/read": {
        "post": Call(
            id="markRead",
            tag="Notifications",
            summary="Mark all up to a seq as read",
            description="For every page and device of yours. A mark never goes back, and never ahead of the log.",
            body=ref("MarkBody"),
            answers=_NOW,
        )
    },
    "/api/v1/notifications/muted/{workload}": {
        "put": Call(
            id="mute",
            tag="Notifications",
            summary="Hear no more of a workload's ends",
            parameters=[_WORKLOAD],
            answers=_NOW,
        ),
        "delete": Call(
            id="unmute",
            tag="Notifications",
            summary="Hear of them again",
            parameters=[_WORKLOAD],
            answers=_NOW,
            problems=(422,),
        ),
    },
}

_READING: Final[dict[str, Schema]] = {
    "seq": {**COUNT, "description": "All up to here is read"},
    "head": {**COUNT, "description": "Where your log stands"},
    "unread": {**COUNT, "description": "Ends of tasks between the two; 100 is that many or more"},
    "muted": {"type": "array", "items": TEXT, "description": "Workloads whose ends are not counted"},
}
_NOTICE: Final[dict[str, Schema]] = {
    "seq": {**COUNT, "description": "The event that tells of it"},
    "at": TIME,
    "unread": {"type": "boolean"},
    "task": ref("Card"),
}
_PAGE: Final[dict[str, Schema]] = {
    "items": {"type": "array", "items": ref("Notice")},
    "next": {"type": ["integer", "null"], "description": "The before of the next page"},
    "reading": ref("Reading"),
}
NOTIFICATION_SHAPES: Final[dict[str, Schema]] = {
    "MarkBody": MarkBody.model_json_schema(),
    **{
        name: {"type": "object", "description": description, "required": list(properties), "properties": properties}
        for name, description, properties in (
            ("Reading", "How far you have read.", _READING),
            ("Notice", "The end of a task.", _NOTICE),
            ("NoticePage", "Ends of tasks, the newest first.", _PAGE),
        )
    },
}
