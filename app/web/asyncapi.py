"""The AsyncAPI document: what the websocket says and takes. The shapes are those of the OpenAPI document."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.ops.parts import PARTS
from app.version import VERSION
from app.web.api import json
from app.web.shapes import Schema, ref, schemas

ABOUT: Final = """A user's events as they happen. No frame from the client is needed: after the welcome comes every event after `after`, then the live ones.

Close codes: 4001 the session has ended (do not come back with it), 4008 the client does not read, 4009 too many sockets of this user, 4013 too many frames,
1009 a frame over 4 KiB, 1012 the server restarts. Come back with full jitter, after 0.5 to 20 seconds, with `after` and `epoch` of the last event."""


def _frame(description: str, kind: Schema, required: tuple[str, ...] = (), **properties: Schema) -> dict[str, Any]:
    shape = {"type": "object", "required": ["type", *required], "properties": {"type": kind, **properties}}
    return {"summary": description, "contentType": "application/json", "payload": shape}


_SEQ: Final[Schema] = {"type": "integer", "minimum": 0}
_EPOCH: Final[Schema] = {"type": "string", "description": "Which history `seq` counts in"}
_TEXT: Final[Schema] = {"type": "string"}

SENT: Final = {
    "welcome": _frame(
        "The first frame: whose events these are, and where the log stands",
        {"const": "welcome"},
        ("epoch", "seq", "user"),
        epoch=_EPOCH,
        seq=_SEQ,
        user={"type": "object", "properties": {"id": {"type": "integer"}, "username": _TEXT}},
    ),
    "event": {"summary": "A step of a task", "contentType": "application/json", "payload": ref("Event")},
    "progress": _frame(
        "How far a task is: without seq, may be dropped, at most five a second, none after the task's end",
        {"const": "task.progress"},
        ("task_id", "attempt", "fraction", "message"),
        task_id={"type": "string", "format": "uuid"},
        attempt=_SEQ,
        fraction={"type": ["number", "null"], "minimum": 0, "maximum": 1},
        message=_TEXT,
    ),
    "reset": _frame(
        "The client cannot resume: its tasks as they are now",
        {"const": "reset"},
        ("epoch", "seq", "tasks"),
        epoch=_EPOCH,
        seq=_SEQ,
        tasks={"type": "array", "items": ref("Card")},
    ),
    "status": _frame(
        "Which parts of the service do not answer: after the welcome and at each change, where status=1 asked for it",
        {"const": "status"},
        ("down",),
        down={"type": "array", "items": {"enum": list(PARTS)}},
    ),
    "read": _frame(
        "How far the user has read, at one moment: after the welcome, each reset and at each change, where read=1 asked for it. Of two, the later has no smaller number",
        {"const": "read"},
        ("seq", "head", "unread", "muted"),
        seq={**_SEQ, "description": "All up to here is read"},
        head={**_SEQ, "description": "Where the log stood"},
        unread={**_SEQ, "description": "Ends of tasks between the two; 100 is that many or more"},
        muted={"type": "array", "items": _TEXT, "description": "Workloads whose ends are not counted"},
    ),
    "pong": _frame("The answer to a ping", {"const": "pong"}, id={}),
    "echoed": _frame("What was sent, back", {"const": "echo"}, ("data",), data={}),
    "error": _frame("The frame was not understood", {"const": "error"}, ("message",), message=_TEXT),
}
TAKEN: Final = {
    "ping": _frame("Answered by a pong with the same id", {"const": "ping"}, id={}),
    "echo": _frame("Answered by the same", {"const": "echo"}, ("data",), data={}),
}


@cache
def asyncapi() -> Mapping[str, Any]:
    """The document, made once."""
    messages = SENT | TAKEN
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Taskline", "version": VERSION, "description": ABOUT},
        "defaultContentType": "application/json",
        "channels": {
            "live": {
                "address": "/ws",
                "description": "Subprotocol `taskline.v1`, where one is offered. Opened with the session's cookie by a page of the service's own origin.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {
                    "ws": {
                        "query": {
                            "type": "object",
                            "properties": {
                                "after": {
                                    **_SEQ,
                                    "description": "The last event that was seen; 0 for all; without it, from now on",
                                },
                                "epoch": _EPOCH,
                                "status": {"const": "1", "description": "Send `status` frames too"},
                                "read": {"const": "1", "description": "Send `read` frames too"},
                            },
                        }
                    }
                },
            }
        },
        "operations": {
            "hear": _operation("send", "The service sends", SENT),
            "ask": _operation("receive", "The service takes", TAKEN),
        },
        "components": {"messages": messages, "schemas": schemas()},
    }


def _operation(action: str, summary: str, messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/live"},
        "messages": [{"$ref": f"#/channels/live/messages/{name}"} for name in messages],
    }


async def document(request: Request) -> Response:  # noqa: ARG001  every handler takes its request
    """`GET /asyncapi.json`."""
    return json(asyncapi())
