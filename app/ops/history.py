"""What has ended lately, from the log of events: it outlives every process, and the tasks that their owners delete."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.db import Database, among, moment
from app.db.base import Dialect
from app.tasks.states import ENDS_SQL

MINUTES: Final = 60
LOOKED_AT: Final = 2_000  # ends, the last ones

_MINUTE: Final[dict[Dialect, str]] = {
    "postgresql": "date_trunc('minute', at)",
    "sqlite": "substr(at, 1, 16)",
}
_LAST: Final = (
    f"SELECT task_id FROM (SELECT task_id, at FROM events WHERE {ENDS_SQL} ORDER BY at DESC LIMIT {LOOKED_AT}) ended"
)


@dataclass(slots=True)
class Minute:
    """How many tasks ended in the minute that begins at `at`."""

    at: datetime
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def ends(self) -> int:
        """All of them."""
        return self.succeeded + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one workload: from when its tasks could run to their start, and from there to success. None where nothing tells."""

    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None


NO_TIMES: Final = Times(None, None, None, None)


async def minutes(db: Database, now: datetime) -> list[Minute]:
    """Every minute of the last hour, the present one last. Raises `Unavailable`."""
    present = now.replace(second=0, microsecond=0)
    found = {at: Minute(at) for at in (present - timedelta(minutes=ago) for ago in reversed(range(MINUTES)))}
    sql = f"SELECT {_MINUTE[db.dialect]} AS minute, type, count(*) AS number FROM events WHERE {ENDS_SQL} AND at >= :since GROUP BY 1, 2"
    for row in await db.fetch_all(sql, {"since": min(found)}):
        if one := found.get(moment(row["minute"]).replace(tzinfo=UTC)):  # what another clock has written may lie ahead
            setattr(one, row["type"].removeprefix("task."), row["number"])
    return list(found.values())


async def times(db: Database) -> Mapping[str, Times]:
    """By workload, of the last ends of all that have not been deleted. Raises `Unavailable`."""
    sql = f"""SELECT workload, state, created_at, run_at, started_at, finished_at FROM tasks
    WHERE id {among(db.dialect, _LAST)} AND started_at IS NOT NULL AND finished_at IS NOT NULL"""
    waits, runs = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for row in await db.fetch_all(sql):
        started = moment(row["started_at"])
        due = max(moment(row["run_at"]), moment(row["created_at"]))
        if started < due:
            continue  # it ended while it waited for another attempt
        waits[row["workload"]].append((started - due).total_seconds())
        if row["state"] == "succeeded":
            runs[row["workload"]].append((moment(row["finished_at"]) - started).total_seconds())
    return {
        name: Times(
            quantile(wait, 0.5),
            quantile(wait, 0.95),
            quantile(runs.get(name, ()), 0.5),
            quantile(runs.get(name, ()), 0.95),
        )
        for name, wait in waits.items()
    }


def quantile(values: Sequence[float], share: float) -> float | None:
    """The least value that this share of all do not exceed. Pure."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None
