"""The JSON that the API takes and gives, as schemas. What a model checks is taken from the model."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from app.tasks.states import State
from app.web.inputs import FollowUpBody, RetryBody, ScheduleBody, ScheduleChange, TaskBody
from taskline.limits import LONGEST_SUMMARY
from taskline.results import Result

Schema = dict[str, Any]
EVENT_TYPES: Final = ("queued", "started", "retrying", "cancelling", "succeeded", "failed", "cancelled", "deleted")
WAIT_REASONS: Final = (
    "line",
    "scheduled",
    "retry",
    "limit",
    "paused",
    "no_worker",
    "no_capable_worker",
    "broker_down",
)
ERROR_KINDS: Final = ("error", "timeout", "lost", "rejected")


def ref(name: str) -> Schema:
    """A reference to one of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All of them, by name."""
    return {
        **_models(TaskBody, RetryBody, FollowUpBody, ScheduleBody, ScheduleChange, mode="validation"),
        **_models(Result, mode="serialization"),
        "Credentials": _object("Who logs in.", username=TEXT, password=TEXT),
        "Task": _object("A task.", **_CARD, **_REST_OF_TASK),
        "Card": _object("A task without what may be large: `params`, `result`, `artifacts` and `wait`.", **_CARD),
        "Progress": _object(
            "How far a task is.", fraction={"type": ["number", "null"], "minimum": 0, "maximum": 1}, message=TEXT
        ),
        "TaskError": _object(
            "Why a task failed.", kind={"enum": list(ERROR_KINDS)}, message=TEXT, hint=_or_null("string")
        ),
        "Wait": _object(
            "Why a task has not started.",
            reason={"enum": list(WAIT_REASONS)},
            message=TEXT,
            position=_or_null("integer", "1 is next"),
            estimate_s=_or_null("number", "Seconds until it starts; null where nothing is known to tell from"),
        ),
        "Artifact": _object("A file that a task made.", name=TEXT, media_type=TEXT, size=BYTES, url=PATH),
        "Links": _object("Where to go from a task.", self=PATH, page=PATH, events=PATH, cancel=PATH),
        "TaskPage": _page("Tasks, the newest first.", "Card", next=_or_null("string", "The cursor of the next page")),
        "Chain": _object(
            "What comes before and after a task.",
            after=_or_null("string", "The task on whose success this one has started", format="uuid"),
            then={"anyOf": [ref("FollowUp"), {"type": "null"}], "description": "What starts on its success"},
        ),
        "FollowUp": _object("What follows on a task.", **_FOLLOW_UP),
        "Schedule": _object("What starts when.", **_SCHEDULE),
        "ScheduleList": _page("Schedules, the newest first.", "Schedule"),
        "Run": _object(
            "What became of a time of a schedule.",
            at=TIME,
            outcome={"enum": ["started", "skipped", "refused"]},
            task_id=_or_null("string", "The task that has started", format="uuid"),
            missed={**COUNT, "description": "Times up to this one for which nothing has started"},
            note=_or_null("string", "Why it was refused"),
        ),
        "RunList": _page("What became of a schedule's times, the newest first.", "Run"),
        "LogLine": _object(
            "A line of an attempt's log.",
            attempt=COUNT,
            number={**COUNT, "description": "Counts from 1 within the attempt"},
            at=TIME,
            level={"enum": ["debug", "info", "warning", "error"]},
            text=TEXT,
        ),
        "LogLines": _page("Lines of a log, in order.", "LogLine", next=TEXT),
        "File": _object(
            "An uploaded file. A workload's file param takes the id.",
            id=ID,
            name=TEXT,
            size=BYTES,
            sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
        ),
        "Workload": _object(
            "What can be started.",
            name=TEXT,
            version=COUNT,
            title=TEXT,
            description=TEXT,
            schema={"type": "object", "description": "JSON Schema (2020-12) of the params"},
            limits={"type": "object", "description": "What a task of it may take"},
            timeout_s={"type": "number", "description": "Seconds that an attempt may take"},
            max_attempts=COUNT,
        ),
        "WorkloadList": _page("Workloads, by title.", "Workload"),
        "Event": _object(
            "A step of a task.",
            type={"enum": [f"task.{name}" for name in EVENT_TYPES]},
            seq={"type": "integer", "minimum": 1, "description": "Counts a user's events, without gaps"},
            at=TIME,
            task={
                "anyOf": [ref("Card"), ref("DeletedCard")],
                "description": "The task as it was then; emptied once it is deleted",
            },
        ),
        "DeletedCard": {
            **_object("What is left of a deleted task.", id=ID, links=ref("Links")),
            "additionalProperties": False,
        },
        "EventPage": _page(
            "Events in order.",
            "Event",
            epoch={"type": "string", "description": "Which history `seq` counts in"},
            next=_or_null("integer", "The `after` of the next page"),
        ),
        "EventList": _page("What happened to a task, in order.", "Event"),
        "User": _object("An account.", id={"type": "integer"}, username=TEXT, role=TEXT),
        "Readiness": _object(
            "Whether tasks can be accepted.",
            ready={"type": "boolean"},
            parts={"type": "object", "additionalProperties": TEXT, "description": "`ok`, or what is wrong, by part"},
            down={
                "type": "object",
                "additionalProperties": _object(
                    "What goes on without a part, and what to do.", meanwhile=TEXT, do=TEXT
                ),
            },
        ),
        "Problem": _PROBLEM,
    }


def _object(description: str, /, **properties: Schema) -> Schema:
    """An object that has every one of `properties`."""
    return {"type": "object", "description": description, "required": list(properties), "properties": properties}


def _page(description: str, item: str, /, **properties: Schema) -> Schema:
    return _object(description, items={"type": "array", "items": ref(item)}, **properties)


def _or_null(kind: str, description: str = "", **more: Any) -> Schema:
    return {"type": [kind, "null"], **more, **({"description": description} if description else {})}


def _models(*kinds: type[BaseModel], mode: Any) -> dict[str, Schema]:
    found = {}
    for kind in kinds:
        made = kind.model_json_schema(mode=mode, ref_template="#/components/schemas/{model}")
        found.update({name: _untitled(part) for name, part in made.pop("$defs", {}).items()})
        found[kind.__name__] = _untitled(made)
    return found


def _untitled(part: Schema) -> Schema:
    """Without the titles that pydantic makes of names: they say nothing more."""
    fields: Mapping[str, Schema] = part.get("properties", {})
    properties = {name: {key: value for key, value in one.items() if key != "title"} for name, one in fields.items()}
    return {**{key: value for key, value in part.items() if key != "title"}, "properties": properties}


TEXT: Final[Schema] = {"type": "string"}
BINARY: Final[Schema] = {"type": "string", "format": "binary"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
BYTES: Final[Schema] = {**COUNT, "description": "Bytes"}
ID: Final[Schema] = {"type": "string", "format": "uuid"}
PATH: Final[Schema] = {"type": "string", "format": "uri-reference"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Final = _or_null("string", format="date-time")
_CARD: Final[dict[str, Schema]] = {
    "id": ID,
    "name": TEXT,
    "workload": TEXT,
    "state": {"enum": [state.value for state in State]},
    "attempt": COUNT,
    "max_attempts": COUNT,
    "progress": ref("Progress"),
    "summary": _or_null("string", "What came of it, in a line", maxLength=LONGEST_SUMMARY),
    "error": {"anyOf": [ref("TaskError"), {"type": "null"}]},
    "retry_of": _or_null("string", "The task that this one repeats", format="uuid"),
    "cancel_requested_at": _TIME_OR_NULL,
    "created_at": TIME,
    "run_at": {**TIME, "description": "Starts no earlier than this"},
    "started_at": _TIME_OR_NULL,
    "finished_at": _TIME_OR_NULL,
    "links": ref("Links"),
}
_FOLLOW_UP: Final[dict[str, Schema]] = {
    "workload": TEXT,
    "params": {"type": "object", "description": "With references to what the task before makes"},
    "name": _or_null("string"),
    "priority": {"type": "integer"},
    "then": {"anyOf": [ref("FollowUpBody"), {"type": "null"}]},
    "outcome": {
        "enum": ["started", "refused", "dropped", None],
        "description": "null: waits for the task's end; dropped: that was no success",
    },
    "task_id": _or_null("string", "The task that has started", format="uuid"),
    "note": _or_null("string", "Why it has not started"),
}
_SCHEDULE: Final[dict[str, Schema]] = {
    "id": ID,
    "name": TEXT,
    "workload": TEXT,
    "params": {"type": "object"},
    "priority": {"type": "integer"},
    "then": {"anyOf": [ref("FollowUpBody"), {"type": "null"}], "description": "What follows on each task"},
    "at": _TIME_OR_NULL,
    "cron": _or_null("string"),
    "zone": {"type": "string", "description": "The IANA time zone on whose clock cron is read"},
    "missed": {"enum": ["skip", "run_once"]},
    "state": {"enum": ["active", "paused", "ended"]},
    "words": _or_null("string", "The cron expression in words"),
    "next": {"type": "array", "items": TIME, "description": "The next times, five at most"},
    "last": {"anyOf": [ref("Run"), {"type": "null"}], "description": "What became of its last time"},
    "created_at": TIME,
    "links": _object("Where to go from a schedule.", self=PATH, page=PATH),
}
_REST_OF_TASK: Final[dict[str, Schema]] = {
    "params": {"type": "object", "description": "What it runs with"},
    "result": {"anyOf": [ref("Result"), {"type": "null"}]},
    "artifacts": {"type": "array", "items": ref("Artifact")},
    "wait": {"anyOf": [ref("Wait"), {"type": "null"}], "description": "Told by reading the one task; null elsewhere"},
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "What is wrong (RFC 9457).",
    "required": ["title", "status", "detail", "errors", "request_id"],
    "properties": {
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "errors": {"type": "object", "additionalProperties": TEXT, "description": "What is wrong, by field"},
        "hint": {"type": "string", "description": "What to do about it"},
        "request_id": {"type": "string", "description": "Finds the request in the service's log"},
    },
}
