"""For orchestrators and monitoring: is the process alive, can it serve, how much is going on."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.ops.metrics import MEDIA_TYPE, Sample, exposition
from app.ops.monitor import Monitor
from app.ops.parts import PARTS
from app.web.api import json, resources
from app.web.errors import RETRY_UNAVAILABLE
from app.web.sockets import Sockets


async def alive(request: Request) -> Response:  # noqa: ARG001  every handler takes its request
    """`GET /healthz`: 200 while the process serves at all."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> Response:
    """`GET /readyz`: 200 while tasks can be accepted: the database answers. Queue and events may be away; that is said, and delays nobody's 202."""
    monitor: Monitor = request.app.state.monitor
    said = await monitor.ask()
    ready = said["database"] is None
    answer = {
        "ready": ready,
        "parts": {name: problem or "ok" for name, problem in said.items()},
        "down": {
            name: {"meanwhile": PARTS[name].meanwhile, "do": PARTS[name].remedy}
            for name, problem in said.items()
            if problem is not None
        },
    }
    return json(answer, headers={} if ready else {"retry-after": str(RETRY_UNAVAILABLE)}, status=200 if ready else 503)


async def metrics(request: Request) -> Response:
    """`GET /metrics`: for Prometheus."""
    sockets: Sockets = request.app.state.sockets
    workers = await resources(request).catalogue.workers()
    samples: list[Sample] = [("taskline_workers", {}, len(workers)), ("taskline_sockets", {}, sockets.number)]
    for (lane, state), number in sorted((await resources(request).store.active()).items()):
        samples.append(("taskline_tasks", {"lane": lane, "state": state}, number))
    for lane in sorted({lane for worker in workers for lane in worker.slots}):
        slots = sum(worker.slots.get(lane, 0) for worker in workers)
        samples.append(("taskline_worker_slots", {"lane": lane}, slots))
    return Response(exposition(samples), media_type=MEDIA_TYPE)
