"""The calls for a task's log, as the OpenAPI document describes them."""

from typing import Final

from app.web.call import Call, in_path, in_query
from app.web.shapes import TEXT, ref

_TASK: Final = in_path("id", "The task")

LOG_CALLS: Final[dict[str, dict[str, Call]]] = {
    "/api/v1/tasks/{id}/log": {
        "get": Call(
            id="downloadLog",
            tag="Tasks",
            summary="Read what a task's runs have written to their log",
            description="Each attempt under a heading of its own, with its last 1,000 lines. It grows while the task runs.",
            parameters=[_TASK],
            headers={"Content-Disposition": "A name to keep it under"},
            answers={200: ("The lines", TEXT)},
            answer_type="text/plain",
        )
    },
    "/api/v1/tasks/{id}/log/lines": {
        "get": Call(
            id="listLogLines",
            tag="Tasks",
            summary="Follow a task's log",
            description="Lines that were written since the place after; without it, all that are kept.",
            parameters=[_TASK, in_query("after", "What was next in the answer before")],
            answers={200: ("The lines, in order", ref("LogLines"))},
            problems=(422,),
        )
    },
}
