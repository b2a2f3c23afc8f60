"""Every call of the API, as the OpenAPI document describes it; in the order of the reference page."""

from typing import Final

from app.tasks.commands import LONGEST_KEY
from app.tasks.states import State
from app.web import api, stream
from app.web.call import Call, in_header, in_path, in_query, limit
from app.web.file_calls import FILE_CALLS
from app.web.log_calls import LOG_CALLS
from app.web.notification_calls import NOTIFICATION_CALLS
from app.web.operator_calls import OPERATOR_CALLS
from app.web.schedule_calls import SCHEDULE_CALLS
from app.web.shapes import TEXT, ref

_SEQ: Final = {"type": "integer", "minimum": 0}
_TASK: Final = in_path("id", "The task")
_AFTER: Final = "The seq of the last event that you saw"

# By path, then by method.
CALLS: Final[dict[str, dict[str, Call]]] = {
    "/api/v1/tasks": {
        "post": Call(
            id="createTask",
            tag="Tasks",
            summary="Start a task",
            description="Answers once the task is stored: from then on it is not lost. Send an Idempotency-Key, and repeat the request where no answer came. 404 is the answer to a key whose task was deleted.",
            parameters=[
                in_header(
                    "Idempotency-Key",
                    "The same key with the same body finds the same task; with another body it is refused",
                    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
                )
            ],
            body=ref("TaskBody"),
            answers={202: ("The task is accepted", ref("Task"))},
            headers={"Location": "The task"},
            problems=(404,),
        ),
        "get": Call(
            id="listTasks",
            tag="Tasks",
            summary="List tasks, the newest first",
            parameters=[
                in_query("state", "Only tasks in this state", {"enum": [state.value for state in State]}),
                in_query("workload", "Only tasks of this workload"),
                in_query("q", "Only tasks whose name contains this"),
                limit(api.USUALLY_LISTED, api.MOST_LISTED),
                in_query("cursor", "What was next on the page before"),
            ],
            answers={200: ("A page", ref("TaskPage"))},
            headers={"Link": 'The next page as rel="next", where there is one'},
            problems=(422,),
        ),
    },
    "/api/v1/tasks/{id}": {
        "get": Call(
            id="getTask",
            tag="Tasks",
            summary="Look at a task",
            description="wait says why a queued task has not started.",
            parameters=[_TASK],
            answers={200: ("The task", ref("Task"))},
        ),
        "delete": Call(
            id="deleteTask",
            tag="Tasks",
            summary="Delete a task that has ended",
            parameters=[_TASK],
            answers={204: ("It is gone", None)},
            problems=(409,),
        ),
    },
    "/api/v1/tasks/{id}/cancel": {
        "post": Call(
            id="cancelTask",
            tag="Tasks",
            summary="Cancel a task",
            description="A queued task is cancelled at once, a running one is asked to stop. Asking again is fine.",
            parameters=[_TASK],
            answers={202: ("The task", ref("Task"))},
            problems=(409,),
        )
    },
    "/api/v1/tasks/{id}/retry": {
        "post": Call(
            id="retryTask",
            tag="Tasks",
            summary="Start an ended task again, as a new one",
            parameters=[_TASK],
            body=ref("RetryBody"),
            body_required=False,
            answers={202: ("The new task; retry_of names the ended one", ref("Task"))},
            headers={"Location": "The new task"},
            problems=(409,),
        )
    },
    "/api/v1/tasks/{id}/events": {
        "get": Call(
            id="listTaskEvents",
            tag="Tasks",
            summary="What happened to a task",
            description="Also of a deleted task, with what it was about taken out.",
            parameters=[_TASK],
            answers={200: ("Its events, in order", ref("EventList"))},
        )
    },
    "/api/v1/tasks/{id}/chain": {
        "get": Call(
            id="getTaskChain",
            tag="Tasks",
            summary="What a task followed on, and what follows on it",
            description="What follows is declared where the task is started. Its outcome is null while it waits for the task's end.",
            parameters=[_TASK],
            answers={200: ("Before and after", ref("Chain"))},
        )
    },
    **LOG_CALLS,
    **FILE_CALLS,
    **SCHEDULE_CALLS,
    **NOTIFICATION_CALLS,
    "/api/v1/workloads": {
        "get": Call(
            id="listWorkloads",
            tag="Workloads",
            summary="List what can be started",
            answers={200: ("Every workload, with the schema of its params", ref("WorkloadList"))},
        )
    },
    "/api/v1/events": {
        "get": Call(
            id="listEvents",
            tag="Events",
            summary="Read the log of your tasks",
            description="Without after, from the oldest that is kept. 409 where the log does not reach back to after, or not that far yet.",
            parameters=[in_query("after", _AFTER, _SEQ), limit(100, stream.MOST_LISTED)],
            answers={200: ("A page", ref("EventPage"))},
            problems=(409, 422),
        )
    },
    "/api/v1/events/stream": {
        "get": Call(
            id="streamEvents",
            tag="Events",
            summary="Follow your tasks by server-sent events",
            description="The websocket's frames, one an event. Without a position it starts at now.",
            parameters=[
                in_query("after", _AFTER, _SEQ),
                in_query("epoch", "The epoch that after counts in"),
                in_header("Last-Event-ID", "What a browser sends when it connects again: seq@epoch"),
            ],
            answers={200: ("A stream without end", TEXT)},
            answer_type="text/event-stream",
            problems=(422,),
        )
    },
    "/api/v1/session": {
        "post": Call(
            id="logIn",
            tag="Session",
            summary="Log in",
            body=ref("Credentials"),
            answers={201: ("The cookie of the new session, and who you are", ref("User"))},
            headers={"Set-Cookie": "The session"},
            problems=(401, 429),
            public=True,
        ),
        "delete": Call(id="logOut", tag="Session", summary="Log out", answers={204: ("The session has ended", None)}),
    },
    "/api/v1/me": {
        "get": Call(id="getMe", tag="Session", summary="Who you are", answers={200: ("Your account", ref("User"))})
    },
    **OPERATOR_CALLS,
    "/api/v1/openapi.json": {
        "get": Call(
            id="getOpenapi",
            tag="Service",
            summary="This description",
            answers={200: ("An OpenAPI 3.1 document", {"type": "object"})},
            problems=(503,),
            public=True,
        )
    },
    "/api/v1/asyncapi.json": {
        "get": Call(
            id="getAsyncapi",
            tag="Service",
            summary="What the websocket says and takes",
            answers={200: ("An AsyncAPI 3.0 document", {"type": "object"})},
            public=True,
        )
    },
    "/healthz": {
        "get": Call(
            id="getHealth",
            tag="Service",
            summary="Whether the process serves at all",
            answers={200: ("It does", TEXT)},
            answer_type="text/plain",
            public=True,
        )
    },
    "/readyz": {
        "get": Call(
            id="getReadiness",
            tag="Service",
            summary="Whether tasks can be accepted",
            description="They can while the database answers. Queue and events may be away: `down` says what goes on meanwhile, and what to do.",
            answers={200: ("They can", ref("Readiness")), 503: ("They cannot", ref("Readiness"))},
            public=True,
        )
    },
    "/metrics": {
        "get": Call(
            id="getMetrics",
            tag="Service",
            summary="Figures for Prometheus",
            answers={200: ("What waits and runs, who works, who listens", TEXT)},
            answer_type="text/plain",
            problems=(503,),
            public=True,
        )
    },
}
