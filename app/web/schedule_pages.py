"""The page of schedules, and the buttons on it. Times are shown on the clock of each schedule's own zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.catalogue import Workload
from app.schedules.model import Missed, Phase, Run, Schedule
from app.schedules.times import zone_of
from app.web.api import resources
from app.web.auth import require
from app.web.cards import Look
from app.web.schedules_api import schedule_id
from app.web.start import file_names
from app.web.task_pages import shown_input
from app.web.templating import render
from app.web.wording import day, plural

LOOKS: Final = {
    Phase.ACTIVE: Look("Active", "repeat", "ok"),
    Phase.PAUSED: Look("Paused", "pause", "warn"),
    Phase.ENDED: Look("Over", "check", "off"),
}
MISSED: Final = {Missed.SKIP: "a missed time is skipped", Missed.RUN_ONCE: "missed times are made up for once"}
WORDS: Final = {"started": "started", "skipped": "skipped: no worker ran at that time", "refused": "not started"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A schedule as the page prints it."""

    id: str
    name: str
    phase: str
    look: Look
    words: str
    zone: str
    cron: str
    missed: str
    workload: str
    input: list[tuple[str, str]]
    follow: str
    next: list[str]
    last: dict[str, str] | None


async def schedules(request: Request) -> Response:
    """`GET /schedules`."""
    user = await require(request)
    parts = resources(request)
    position = await parts.log.position(user.user_id)
    workloads = {one.name: one for one in await parts.catalogue.all()}
    rows = []
    for schedule, last in await parts.schedules.all(user.user_id):
        workload = workloads.get(schedule.workload)
        schema = workload.schema if workload else {}
        names = await file_names(parts.files, user.user_id, schema, schedule.params)
        rows.append(_row(schedule, last, workloads, names))
    return render(request, "schedules.html", {"position": position, "schedules": rows})


async def pause(request: Request) -> Response:
    """`POST /schedules/{id}/pause`: 303 to the page."""
    return await _changed(request, {"paused": True})


async def resume(request: Request) -> Response:
    """`POST /schedules/{id}/resume`: 303 to the page."""
    return await _changed(request, {"paused": False})


async def delete(request: Request) -> Response:
    """`POST /schedules/{id}/delete`: 303 to the page."""
    user = await require(request)
    await resources(request).schedules.delete(user.user_id, schedule_id(request))
    return RedirectResponse("/schedules", 303)


async def _changed(request: Request, changes: Mapping[str, Any]) -> Response:
    user = await require(request)
    await resources(request).schedules.change(user.user_id, schedule_id(request), changes)
    return RedirectResponse("/schedules", 303)


def _row(schedule: Schedule, last: Run | None, workloads: Mapping[str, Workload], names: Mapping[str, str]) -> Row:
    workload = workloads.get(schedule.workload)
    recurrence = schedule.recurrence
    following = (schedule.follow or {}).get("workload", "")
    return Row(
        id=str(schedule.id),
        name=schedule.name,
        phase=schedule.phase,
        look=LOOKS[schedule.phase],
        words=recurrence.words() if recurrence else "Once",
        zone=schedule.zone,
        cron=schedule.cron or "",
        missed=MISSED[schedule.missed],
        workload=workload.title if workload else schedule.workload,
        input=shown_input(workload, schedule.params, names),
        follow=workloads[following].title if following in workloads else following,
        next=[_local(at, schedule) for at in schedule.upcoming()],
        last=_last(last, schedule) if last else None,
    )


def _last(run: Run, schedule: Schedule) -> dict[str, str]:
    missed = f"{plural(run.missed, 'time')} missed before" if run.missed and run.outcome == "started" else ""
    return {
        "at": _local(run.at, schedule),
        "word": WORDS[run.outcome],
        "task": str(run.task_id or ""),
        "note": run.note or missed,
    }


def _local(at: datetime, schedule: Schedule) -> str:
    """Mon 30 Nov 2026, 09:00"""
    there = at.astimezone(zone_of(schedule.zone))
    return f"{there:%a} {day(there)}, {there:%H:%M}"
