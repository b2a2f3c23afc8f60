"""`/notifications`: what became of somebody's tasks, by day, and the buttons that say what they have read and do not want to hear of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.catalogue import Workload
from app.notifications.model import Notice, Reading
from app.web import marking
from app.web.api import resources
from app.web.auth import require
from app.web.cards import LOOKS, Look, headline, line
from app.web.following import sequence_number
from app.web.templating import render
from app.web.wording import day

PAGE: Final = 50  # notices
UNREAD: Final = "/notifications"
ALL: Final = "/notifications?show=all"
MUTED: Final = "/notifications#muted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The end of a task as the page prints it."""

    seq: int
    task: str
    look: Look
    head: str
    line: str
    workload: str
    at: datetime
    unread: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The ends of one day (in UTC: the browser's script sorts them by the reader's own days), the newest first."""

    word: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Voice:
    """A workload that can be muted."""

    name: str
    title: str
    muted: bool


async def notifications(request: Request) -> Response:
    """`GET /notifications`: what is unread; with `?show=all`, what is read too."""
    user = await require(request)
    parts = resources(request)
    everything = request.query_params.get("show") == "all"
    asked = request.query_params.get("before")
    before = None if asked is None else sequence_number(asked, "before")
    position = await parts.log.position(user.user_id)
    # Before the notices: what ends while they are read stays unread.
    reading = await parts.notifications.reading(user.user_id)
    page = await parts.notifications.page(user.user_id, PAGE, before=before, unread=not everything)
    workloads = await parts.catalogue.all()
    titles = {one.name: one.title for one in workloads}
    here = ALL if everything else UNREAD
    values = {
        "position": position,
        "days": by_day(page.items, titles, datetime.now(UTC).date()),
        "everything": everything,
        "here": here,
        "unread": reading.unread,
        "head": reading.head,
        "before": before,
        "older": f"{here}{'&' if everything else '?'}before={page.next}" if page.next else None,
        "voices": voices(workloads, reading),
    }
    return render(request, "notifications.html", values)


async def read(request: Request) -> Response:
    """`POST /notifications/read`: all up to `seq` is read; 303 back."""
    user = await require(request)
    sent = await _sent(request, "seq", "show")
    await marking.mark(request, user.user_id, sequence_number(sent["seq"], "seq"))
    return RedirectResponse(ALL if sent["show"] == "all" else UNREAD, 303)


async def mute(request: Request) -> Response:
    """`POST /notifications/mute`: tell of the ends of `workload` no more; 303 back."""
    user = await require(request)
    await marking.mute(request, user.user_id, (await _sent(request, "workload"))["workload"])
    return RedirectResponse(MUTED, 303)


async def unmute(request: Request) -> Response:
    """`POST /notifications/unmute`: tell of them again; 303 back."""
    user = await require(request)
    await marking.unmute(request, user.user_id, (await _sent(request, "workload"))["workload"])
    return RedirectResponse(MUTED, 303)


def by_day(notices: Sequence[Notice], titles: Mapping[str, str], today: date) -> list[Day]:
    """The notices, the newest first, under the words for their days."""
    days = groupby(notices, key=lambda notice: notice.at.astimezone(UTC).date())
    return [Day(day_word(when, today), [_line(one, titles) for one in some]) for when, some in days]


def day_word(when: date, today: date) -> str:
    """Today, Yesterday, 24 Nov 2026"""
    if when == today:
        return "Today"
    return "Yesterday" if when == today - timedelta(days=1) else day(when)


def voices(workloads: Sequence[Workload], reading: Reading) -> list[Voice]:
    """What can be muted, and what is; that of which nobody knows any more comes last."""
    known = [Voice(one.name, one.title, one.name in reading.muted) for one in workloads]
    names = {one.name for one in known}
    return known + [Voice(name, name, muted=True) for name in reading.muted if name not in names]


def _line(notice: Notice, titles: Mapping[str, str]) -> Line:
    task = notice.task
    return Line(
        seq=notice.seq,
        task=str(task.id),
        look=LOOKS[task.state],
        head=headline(task),
        line=line(task),
        workload=titles.get(task.workload, task.workload),
        at=notice.at,
        unread=notice.unread,
    )


async def _sent(request: Request, *names: str) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=10) as form:
        return {name: str(form.get(name) or "") for name in names}
