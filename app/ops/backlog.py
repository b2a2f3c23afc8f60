"""What waits and what runs now, of everybody: by workload for the queues, by worker for who does it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.catalogue import Workload
from app.db import NOW, Database, moment

# Each part is a partial index; what is due for its time or its next attempt counts as waiting.
_PARTS: Final = f"""
SELECT lane, workload, 'waiting' AS part, CAST(NULL AS text) AS worker, count(*) AS number, min(run_at) AS since FROM tasks
  WHERE state = 'queued' AND run_at <= created_at GROUP BY lane, workload
UNION ALL SELECT lane, workload, 'waiting', NULL, count(*), min(run_at) FROM tasks
  WHERE state = 'queued' AND run_at > created_at AND run_at <= {NOW} GROUP BY lane, workload
UNION ALL SELECT lane, workload, 'later', NULL, count(*), NULL FROM tasks
  WHERE state = 'queued' AND run_at > created_at AND run_at > {NOW} GROUP BY lane, workload
UNION ALL SELECT lane, workload, 'running', CAST(worker_id AS text), count(*), NULL FROM tasks
  WHERE state = 'running' GROUP BY lane, workload, worker_id"""


@dataclass(slots=True)
class Queue:
    """What there is of one workload: `later` waits for its time or its next attempt, `oldest` is since when the first that waits could run."""

    workload: str
    title: str
    lane: str
    waiting: int = 0
    later: int = 0
    running: int = 0
    oldest: datetime | None = None


@dataclass(slots=True)
class Backlog:
    """`running`: tasks by worker, then by lane and workload."""

    now: datetime  # by the database's clock
    queues: list[Queue]
    running: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)


async def backlog(db: Database, workloads: Sequence[Workload]) -> Backlog:
    """Every workload that is known, and those that are not but have tasks, by title. Raises `Unavailable`."""
    now, rows = await db.now(), await db.fetch_all(_PARTS)
    present = {name: one.name for one in workloads for name in (*one.aliases, one.name)}
    queues = {(one.lane, one.name): Queue(one.name, one.title, one.lane) for one in workloads}
    titles = {one.name: one.title for one in workloads}
    found = Backlog(now, [])
    for row in rows:
        name: str = present.get(row["workload"]) or row["workload"]
        key: tuple[str, str] = row["lane"], name
        queue = queues.setdefault(key, Queue(name, titles.get(name, name), row["lane"]))
        setattr(queue, row["part"], getattr(queue, row["part"]) + row["number"])
        if row["since"] is not None:
            since = moment(row["since"])
            queue.oldest = min(queue.oldest or since, since)
        if row["worker"] is not None:
            found.running.setdefault(row["worker"], Counter())[key] += row["number"]
    found.queues = sorted(queues.values(), key=lambda one: (one.title.casefold(), one.workload, one.lane))
    return found
