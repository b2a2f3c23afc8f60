"""The log of a task's runs: as a text to keep, as lines to follow, and as the page shows it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.errors import Invalid
from app.tasks.run_log import START, Line
from app.web.api import json, resources, task_id
from app.web.auth import require

_PLACE: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class AttemptLog:
    """The lines of one attempt; `gone` lines before them were not kept."""

    attempt: int
    lines: Sequence[Line]

    @property
    def kept(self) -> int:
        """How many lines are known."""
        return len(self.lines)

    @property
    def gone(self) -> int:
        """How many lines came before the first one that is known."""
        return self.lines[0].number - 1


async def download(request: Request) -> Response:
    """`GET /tasks/{id}/log`: each attempt under a heading, a line of text a line."""
    user = await require(request)
    lines = await resources(request).store.lines(user.user_id, task_id(request))
    headers = {"content-disposition": f'inline; filename="task-{task_id(request)}.log"'}
    return PlainTextResponse("".join(_written(by_attempt(lines))), headers=headers)


async def lines(request: Request) -> Response:
    """`GET /tasks/{id}/log/lines?after=`."""
    user = await require(request)
    after = _after(request)
    found = await resources(request).store.lines(user.user_id, task_id(request), after)
    attempt, number = found[-1].place if found else after
    return json({"items": [asdict(line) for line in found], "next": f"{attempt}.{number}"})


def by_attempt(lines: Iterable[Line]) -> list[AttemptLog]:
    """Each attempt's lines apart."""
    return [AttemptLog(attempt, list(group)) for attempt, group in groupby(lines, key=lambda line: line.attempt)]


def _written(attempts: Iterable[AttemptLog]) -> Iterable[str]:
    for one in attempts:
        yield f"--- Attempt {one.attempt} ---\n"
        if one.gone:
            yield f"({one.gone:,} earlier lines were not kept)\n"
        for line in one.lines:
            yield f"{line.at}  {line.level:<7}  {line.text}\n"


def _after(request: Request) -> tuple[int, int]:
    text = request.query_params.get("after")
    if text is None:
        return START
    found = _PLACE.fullmatch(text)
    if found is None:
        raise Invalid(fields={"after": "is not what was next on the page before"})
    return int(found[1]), int(found[2])
