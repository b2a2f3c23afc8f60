"""The OpenAPI document: `calls` says what there is, `shapes` what it takes and gives, the catalogue what params a workload has."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.catalogue import Workload
from app.version import VERSION
from app.web.api import json, resources
from app.web.call import Call
from app.web.calls import CALLS
from app.web.file_shapes import FILE_SHAPES
from app.web.notification_calls import NOTIFICATION_SHAPES
from app.web.operator_view import OPERATOR_SHAPES
from app.web.shapes import TEXT, Schema, ref, schemas

Document = dict[str, Any]

PROBLEMS: Final = {
    400: ("BadRequest", "The request cannot be read"),
    401: ("Unauthenticated", "There is no session, or it has ended; or name and password do not match"),
    403: ("Forbidden", "A page of another site has sent this"),
    404: ("NotFound", "There is no such thing, or it is another user's"),
    409: ("Conflict", "The state does not allow this"),
    410: ("Expired", "It was there, and is gone: files are kept for a while only"),
    413: ("TooLarge", "This is larger than the service takes"),
    415: ("WrongMediaType", "The body has another media type"),
    422: ("Invalid", "Some fields are wrong; errors says what, by field"),
    429: ("TooMany", "Too many requests; Retry-After says when to come again"),
    503: ("Unavailable", "A part of the service does not answer; nothing was lost, try again"),
}
SAFE: Final = ("get", "head")
ABOUT: Final = """Starts slow work and tells how it goes on. Times are RFC 3339 in UTC. Errors are problem+json (RFC 9457).

Log in by `POST /api/v1/session` and send the cookie with each request. Live events come by the websocket `/ws`, or by `GET /api/v1/events/stream`."""


async def document(request: Request) -> Response:
    """`GET /openapi.json`: with the params of every workload that is known now."""
    return json(with_workloads(request.app.state.openapi, await resources(request).catalogue.all()))


def openapi() -> Document:
    """The document, without the workloads."""
    responses = {name: _problem(status, description) for status, (name, description) in PROBLEMS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Taskline", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(call.tag for _, _, call in _calls())],
        "paths": {
            path: {method: _operation(path, method, call) for method, call in methods.items()}
            for path, methods in CALLS.items()
        },
        "components": {
            "schemas": {**schemas(), **FILE_SHAPES, **NOTIFICATION_SHAPES, **OPERATOR_SHAPES},
            "responses": responses,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "taskline", "description": "By http"},
                "secureSession": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-taskline",
                    "description": "By https",
                },
            },
        },
        "security": [{"session": []}, {"secureSession": []}],
    }


def with_workloads(plain: Document, workloads: Sequence[Workload]) -> Document:
    """`plain` with a schema for the params of each workload, and `TaskBody` as a choice among them."""
    if not workloads:
        return plain
    known: dict[str, Schema] = dict(plain["components"]["schemas"])
    for one in workloads:
        known[f"{one.name}.params"] = _rebased(one.schema, f"#/components/schemas/{one.name}.params")
        known[f"{one.name}.task"] = {
            "type": "object",
            "title": one.title,
            "description": one.description,
            "required": ["workload", *(["params"] if one.schema.get("required") else [])],
            "properties": {"workload": {"const": one.name}, "params": ref(f"{one.name}.params")},
        }
    choices = {one.name: ref(f"{one.name}.task") for one in workloads}
    known["TaskBody"] = {
        **known["TaskBody"],
        "oneOf": list(choices.values()),
        "discriminator": {
            "propertyName": "workload",
            "mapping": {name: choice["$ref"] for name, choice in choices.items()},
        },
    }
    return {**plain, "components": {**plain["components"], "schemas": known}}


def _calls() -> list[tuple[str, str, Call]]:
    return [(path, method, call) for path, methods in CALLS.items() for method, call in methods.items()]


def _operation(path: str, method: str, call: Call) -> Document:
    made: Document = {"operationId": call.id, "tags": [call.tag], "summary": call.summary}
    if call.description:
        made["description"] = call.description
    if call.parameters:
        made["parameters"] = list(call.parameters)
    if call.body:
        made["requestBody"] = {"required": call.body_required, "content": {call.body_type: {"schema": call.body}}}
    made["responses"] = {
        **{str(status): _answer(call, status) for status in call.answers},
        **{
            str(status): {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"}
            for status in _problems(path, method, call)
        },
    }
    if call.public:
        made["security"] = []
    return made


def _answer(call: Call, status: int) -> Document:
    description, schema = call.answers[status]
    made: Document = {"description": description}
    if schema is not None:
        made["content"] = {call.answer_type: {"schema": schema}}
    if call.headers:
        made["headers"] = {name: {"description": text, "schema": TEXT} for name, text in call.headers.items()}
    return made


def _problems(path: str, method: str, call: Call) -> list[int]:
    """The error statuses that a client must be ready for, beyond those of the call itself: by what every such call goes through."""
    found = {*call.problems}
    if not call.public:
        found |= {401, 429, 503}
    if method not in SAFE:
        found |= {403, 503}
    if call.body:
        found |= {400, 413, 415, 422}
    if "{" in path:
        found.add(404)
    return sorted(found - call.answers.keys())


def _problem(status: int, description: str) -> Document:
    made: Document = {
        "description": description,
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }
    if status in (429, 503):
        made["headers"] = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
    return made


def _rebased(part: Any, at: str) -> Any:
    """A schema that stands on its own, with its inner references as they are in this document."""
    match part:
        case Mapping():
            return {
                key: value.replace("#/", f"{at}/", 1)
                if key == "$ref" and isinstance(value, str) and value.startswith("#/")
                else _rebased(value, at)
                for key, value in part.items()
                if key != "$schema"
            }
        case list():
            return [_rebased(one, at) for one in part]
        case _:
            return part
