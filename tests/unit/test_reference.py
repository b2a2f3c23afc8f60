"""The OpenAPI and the AsyncAPI document as the reference page prints them."""

from app.web.asyncapi import SENT, TAKEN, asyncapi
from app.web.reference import frames, grouped

DOCUMENT = {
    "paths": {
        "/api/v1/tasks": {
            "parameters": [{"$ref": "#/components/parameters/Key"}],
            "get": {"tags": ["tasks"], "summary": "List", "responses": {"200": {"description": "A page"}}},
            "post": {
                "tags": ["tasks"],
                "summary": "Start",
                "description": "Accepts it.",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
                "responses": {"202": {"description": "The task"}, "422": {"$ref": "#/components/responses/Problem"}},
            },
        },
        "/api/v1/files": {
            "post": {
                "tags": ["files"],
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "properties": {"file": {"type": "string", "format": "binary"}},
                                "required": ["file"],
                            }
                        }
                    }
                },
                "responses": {},
            }
        },
    },
    "components": {
        "parameters": {
            "Key": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 200}}
        },
        "responses": {"Problem": {"description": "What is wrong"}},
        "schemas": {
            "Body": {
                "type": "object",
                "required": ["workload"],
                "properties": {
                    "workload": {"type": "string", "description": "Its name"},
                    "run_at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
                    "state": {"$ref": "#/components/schemas/State"},
                    "size": {"type": ["number", "null"]},
                },
            },
            "State": {"enum": ["queued", "running"]},
        },
    },
}


def test_operations_come_by_tag_with_their_parameters_body_and_answers() -> None:
    tasks, files = grouped(DOCUMENT)
    assert (tasks.name, files.name) == ("Tasks", "Files")
    listing, start = tasks.operations
    assert (listing.id, listing.method, listing.path, listing.summary) == (
        "get-api-v1-tasks",
        "get",
        "/api/v1/tasks",
        "List",
    )
    assert listing.parameters == (("limit", "query", "whole number from 1 to 200", ""),)
    assert start.body == (
        ("workload", "text", "Its name"),
        ("run_at", "time or null, optional", ""),
        ("state", "one of queued, running, optional", ""),
        ("size", "number or null, optional", ""),
    )
    assert start.answers == (("202", "The task"), ("422", "What is wrong"))
    assert files.operations[0].body == (("file", "file", ""),)


def test_an_empty_document_has_no_operations() -> None:
    assert grouped({}) == []


def test_every_frame_is_named_with_what_it_holds_those_of_the_service_first() -> None:
    found = frames(asyncapi())
    assert [one.sent for one in found] == [True] * len(SENT) + [False] * len(TAKEN)
    types = [name for one in found for name in one.types]
    assert {"welcome", "task.queued", "task.progress", "status", "read", "ping"} <= set(types)
    progress = next(one for one in found if one.types == ("task.progress",))
    assert ("fraction", "number or null from 0 to 1") in progress.fields
    assert all("type" not in dict(one.fields) and one.summary for one in found)
