"""The operator page's figures as JSON: what the API answers, what the template prints and the page's script fills in."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from app.catalogue import Sighting
from app.ops.backlog import Backlog, Queue
from app.ops.failures import Cause
from app.ops.history import NO_TIMES, Minute
from app.ops.overview import View
from app.web.shapes import COUNT, TEXT, TIME, Schema, ref

SECONDS: Final[Schema] = {"type": ["number", "null"], "minimum": 0}


def document(view: View) -> dict[str, Any]:
    """All of it."""
    titles = {one.workload: one.title for one in view.backlog.queues}
    return {
        "at": view.backlog.now,
        "queues": [_queue(one, view) for one in view.backlog.queues],
        "workers": [_worker(one, view.backlog) for one in view.workers],
        "minutes": [_minute(one) for one in view.minutes],
        "failures": [_cause(one, titles) for one in view.causes],
    }


def _queue(one: Queue, view: View) -> dict[str, Any]:
    times = view.times.get(one.workload, NO_TIMES)
    pause = view.pauses.get(one.workload)
    oldest = (view.backlog.now - one.oldest).total_seconds() if one.oldest else None
    return {
        "workload": one.workload,
        "title": one.title,
        "lane": one.lane,
        "waiting": one.waiting,
        "later": one.later,
        "running": one.running,
        "oldest_s": _seconds(oldest),
        "wait_p50_s": _seconds(times.wait_p50),
        "wait_p95_s": _seconds(times.wait_p95),
        "run_p50_s": _seconds(times.run_p50),
        "run_p95_s": _seconds(times.run_p95),
        "paused_at": pause.since if pause else None,
        "paused_by": pause.by if pause else None,
    }


def _worker(one: Sighting, backlog: Backlog) -> dict[str, Any]:
    worker = one.worker
    running = backlog.running.get(str(worker.id), Counter())
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "started_at": worker.started_at,
        "seen_s": _seconds(one.seconds),
        "alive": one.alive,
        "lanes": [
            {"lane": lane, "slots": slots, "running": sum(n for (where, _), n in running.items() if where == lane)}
            for lane, slots in worker.slots.items()
        ],
        "running": [{"workload": workload, "number": number} for (_, workload), number in sorted(running.items())],
        "workloads": sorted(worker.workloads),
        "left_out": [{"source": left.source, "reason": left.reason} for left in worker.left_out],
    }


def _minute(one: Minute) -> dict[str, Any]:
    return {"at": one.at, "succeeded": one.succeeded, "failed": one.failed, "cancelled": one.cancelled}


def _cause(one: Cause, titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "key": one.key,
        "workload": one.workload,
        "title": titles.get(one.workload, one.workload),
        "kind": one.kind,
        "message": one.message,
        "number": one.number,
        "last_at": one.last,
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else max(0.0, math.floor(value * 1000) / 1000)


def _object(description: str, **properties: Schema) -> Schema:
    return {"type": "object", "description": description, "required": list(properties), "properties": properties}


def _list(name: str) -> Schema:
    return {"type": "array", "items": ref(name)}


OPERATOR_SHAPES: Final[dict[str, Schema]] = {
    "Overview": _object(
        "How the whole service does.",
        at=TIME,
        queues=_list("QueueView"),
        workers=_list("WorkerView"),
        minutes=_list("Minute"),
        failures=_list("Cause"),
    ),
    "QueueView": _object(
        "What waits and runs of a workload. Percentiles are of the last 2,000 ends, null where there is none.",
        workload=TEXT,
        title=TEXT,
        lane=TEXT,
        waiting={**COUNT, "description": "Could run now"},
        later={**COUNT, "description": "Wait for their time or their next attempt"},
        running=COUNT,
        oldest_s={**SECONDS, "description": "For how long the first of those that could run has waited"},
        wait_p50_s=SECONDS,
        wait_p95_s=SECONDS,
        run_p50_s={**SECONDS, "description": "Of what succeeded"},
        run_p95_s=SECONDS,
        paused_at={"type": ["string", "null"], "format": "date-time"},
        paused_by={"type": ["string", "null"], "description": "An operator; empty where the account is gone"},
    ),
    "WorkerView": _object(
        "A worker process; one that was not seen for an hour is left out.",
        id={"type": "string", "format": "uuid"},
        host=TEXT,
        pid=COUNT,
        version=TEXT,
        started_at=TIME,
        seen_s={**SECONDS, "description": "Since its last heartbeat"},
        alive={"type": "boolean"},
        lanes={"type": "array", "items": _object("A lane.", lane=TEXT, slots=COUNT, running=COUNT)},
        running={"type": "array", "items": _object("What it runs.", workload=TEXT, number=COUNT)},
        workloads={"type": "array", "items": TEXT, "description": "What it can run"},
        left_out={"type": "array", "items": _object("A plug-in that it cannot offer.", source=TEXT, reason=TEXT)},
    ),
    "Minute": _object(
        "Tasks that ended in a minute of the last hour.", at=TIME, succeeded=COUNT, failed=COUNT, cancelled=COUNT
    ),
    "Cause": _object(
        "Failures of the last 7 days that have a workload, a kind and a message in common and were not started again.",
        key=TEXT,
        workload=TEXT,
        title=TEXT,
        kind=TEXT,
        message=TEXT,
        number=COUNT,
        last_at=TIME,
    ),
}
