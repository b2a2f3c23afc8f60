"""For orchestrators: is the process alive, and can it serve."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.errors import Unavailable
from app.web.api import json, resources


async def alive(request: Request) -> Response:  # noqa: ARG001  every handler takes its request
    """`GET /healthz`: 200 while the process serves at all."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> Response:
    """`GET /readyz`: 200 while tasks can be accepted: the database answers. Queue and events may be away; that is said, and delays nobody's 202."""
    parts = {}
    questions = {
        "database": resources(request).db.ping,
        "queue": resources(request).queue.ping,
        "events": resources(request).fanout.ping,
    }
    for name, question in questions.items():
        try:
            await question()
            parts[name] = "ok"
        except Unavailable as error:
            parts[name] = error.detail
    return json({"ready": parts["database"] == "ok", "parts": parts}, 200 if parts["database"] == "ok" else 503)
