"""How long work usually takes: the average of what has succeeded of late. Nothing is counted when a task ends; a few rows are read when somebody asks."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from app.db import Database, among
from app.db.base import Dialect
from app.tasks.states import ENDS_SQL

FRESH: Final = 10.0  # seconds that an answer is kept in this process
LOOKED_AT: Final = 1_000  # ends, of the tasks that were submitted last
MOST: Final = 100  # of them, runs of one workload

# The bounds come first, in the order of an index: however many tasks there are, and whatever else has ended meanwhile, this reads no more.
_SUCCEEDED: Final = f"""SELECT task_id FROM (SELECT task_id, type FROM events WHERE {ENDS_SQL}
  ORDER BY task_id DESC LIMIT {LOOKED_AT}) ended WHERE type = 'task.succeeded'"""
_SECONDS: Final[dict[Dialect, str]] = {
    "postgresql": "CAST(extract(epoch FROM finished_at - started_at) AS double precision)",
    "sqlite": "(julianday(finished_at) - julianday(started_at)) * 86400",
}


class RunTimes:
    """Kept for some seconds. What has not run lately stays known as it was."""

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._read_at = float("-inf")
        self._usual: dict[str, float] = {}
        self._sql = f"""SELECT workload, avg(seconds) AS seconds FROM (
          SELECT workload, {_SECONDS[db.dialect]} AS seconds, row_number() OVER (PARTITION BY workload ORDER BY id DESC) AS place
          FROM tasks WHERE id {among(db.dialect, _SUCCEEDED)}) runs
        WHERE place <= {MOST} AND seconds >= 0 GROUP BY workload"""

    async def usual(self) -> Mapping[str, float]:
        """Seconds that an attempt which succeeds takes, by workload. A workload without a history is not in it."""
        if self._clock() - self._read_at > FRESH:
            rows = await self._db.fetch_all(self._sql)
            self._usual |= {row["workload"]: float(row["seconds"]) for row in rows}
            self._read_at = self._clock()
        return self._usual
