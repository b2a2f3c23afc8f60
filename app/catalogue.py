"""The catalogue: what workers said that they can do. The web process knows workloads only from here, so it needs no plug-in."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from app.db import NOW, Database, Row, moment

BUILT_IN: Final = "built-in"  # the source of the workloads that come with the service
FRESH: Final = 2.0  # seconds that an answer is kept in this process
FORGOTTEN: Final = timedelta(hours=1)  # a worker that was not seen for longer leaves the list


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What people can start: a row of `workloads`."""

    name: str
    version: int
    title: str
    description: str
    mode: str
    lane: str
    schema: Mapping[str, Any]  # JSON Schema of the params
    limits: Mapping[str, Any]
    timeout_s: float
    max_attempts: int
    source: str  # BUILT_IN, or the module that brings it
    aliases: tuple[str, ...] = ()  # former names

    @property
    def plug_in(self) -> str | None:
        """The module that brings it; None where it is built in."""
        return None if self.source == BUILT_IN else self.source.partition(":")[0]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A plug-in, or one of its workloads, that a worker cannot offer, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker process: a row of `workers`."""

    id: UUID
    host: str
    pid: int
    version: str
    started_at: datetime
    last_seen_at: datetime
    workloads: Mapping[str, int]  # name: newest version that it can run
    slots: Mapping[str, int]  # lane: tasks at once
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A worker on the list, and for how many seconds it was not seen. One that is not alive has died, or cannot reach the database."""

    worker: Worker
    seconds: float
    alive: bool


class Catalogue:
    """Reads are kept for two seconds: submits ask for a workload each. A worker that was not seen for `alive` seconds counts as gone."""

    def __init__(self, db: Database, *, alive: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._alive = timedelta(seconds=alive)
        self._clock = clock
        self._workloads: tuple[float, dict[str, Workload]] = (float("-inf"), {})
        self._workers: tuple[float, list[Worker]] = (float("-inf"), [])

    async def all(self) -> list[Workload]:
        """Every workload, by title."""
        return list((await self._known()).values())

    async def get(self, name: str) -> Workload | None:
        """The workload of this name, or of this former name, or None."""
        known = await self._known()
        return known.get(name) or next((one for one in known.values() if name in one.aliases), None)

    async def workers(self) -> list[Worker]:
        """The workers that are alive."""
        read_at, workers = self._workers
        if not workers or self._clock() - read_at > FRESH:  # the first one is seen at once
            workers = [one.worker for one in await self.sightings() if one.alive]
            self._workers = self._clock(), workers
        return workers

    async def sightings(self) -> list[Sighting]:
        """Every worker on the list, as of now: the longest at work first."""
        rows = await self._db.fetch_all(f"SELECT workers.*, {NOW} AS now FROM workers ORDER BY started_at, id")
        return [
            Sighting(_worker(row), unseen.total_seconds(), unseen < self._alive)
            for row, unseen in ((row, _unseen_for(row)) for row in rows)
        ]

    async def publish(self, workloads: Sequence[Workload]) -> None:
        """Write what this process can run. An older version never replaces a newer one; a former name is not offered beside the present one."""
        sql = """INSERT INTO workloads (name, version, title, description, mode, lane, schema, limits, timeout_s, max_attempts, source, aliases, updated_at)
        VALUES (:name, :version, :title, :description, :mode, :lane, :schema, :limits, :timeout_s, :max_attempts, :source, :aliases, :now)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, title = excluded.title, description = excluded.description, mode = excluded.mode,
        lane = excluded.lane, schema = excluded.schema, limits = excluded.limits, timeout_s = excluded.timeout_s, max_attempts = excluded.max_attempts,
        source = excluded.source, aliases = excluded.aliases, updated_at = excluded.updated_at WHERE workloads.version <= excluded.version"""
        async with self._db.transaction():
            for one in sorted(workloads, key=lambda workload: workload.name):
                values = {name: getattr(one, name) for name in Workload.__slots__}
                texts = {name: _text(values[name]) for name in ("schema", "limits", "aliases")}
                await self._db.execute(sql, {**values, **texts, "now": datetime.now(UTC)})
        present = {one.name for one in workloads}
        await self.forget(sorted({alias for one in workloads for alias in one.aliases} - present))

    async def forget(self, names: Iterable[str]) -> None:
        """Offer these no more: nobody has them any longer."""
        for name in names:
            await self._db.execute("DELETE FROM workloads WHERE name = :name", {"name": name})
        self._workloads = float("-inf"), {}

    async def beat(self, worker: Worker) -> None:
        """Say that a worker is alive, at this moment of the database's clock: its own may be wrong."""
        sql = f"""INSERT INTO workers (id, host, pid, version, started_at, last_seen_at, workloads, slots, left_out)
        VALUES (:id, :host, :pid, :version, :started_at, {NOW}, :workloads, :slots, :left_out)
        ON CONFLICT (id) DO UPDATE SET last_seen_at = excluded.last_seen_at, workloads = excluded.workloads, left_out = excluded.left_out"""
        values = {name: getattr(worker, name) for name in Worker.__slots__ if name != "last_seen_at"}
        texts = {name: _text(values[name]) for name in ("workloads", "slots", "left_out")}
        await self._db.execute(sql, {**values, **texts})

    async def forget_gone(self) -> None:
        """Take off the list what has not been seen for an hour."""
        rows = await self._db.fetch_all(f"SELECT id, last_seen_at, {NOW} AS now FROM workers")
        for row in rows:
            if _unseen_for(row) > FORGOTTEN:
                await self.leave(UUID(str(row["id"])))

    async def leave(self, worker_id: UUID) -> None:
        """Take a worker that stops off the list."""
        await self._db.execute("DELETE FROM workers WHERE id = :id", {"id": worker_id})

    async def forget_workers(self) -> None:
        """No worker is alive."""
        await self._db.execute("DELETE FROM workers")

    async def _known(self) -> dict[str, Workload]:
        read_at, known = self._workloads
        if self._clock() - read_at > FRESH:
            rows = await self._db.fetch_all("SELECT * FROM workloads ORDER BY title")
            known = {row["name"]: _workload(row) for row in rows}
            self._workloads = self._clock(), known
        return known


def _workload(row: Row) -> Workload:
    values = {name: row[name] for name in Workload.__slots__}
    read = {name: orjson.loads(row[name]) for name in ("schema", "limits", "aliases")}
    return Workload(**{**values, **read, "aliases": tuple(read["aliases"])})


def _worker(row: Row) -> Worker:
    return Worker(
        id=UUID(str(row["id"])),
        host=row["host"],
        pid=row["pid"],
        version=row["version"],
        started_at=moment(row["started_at"]),
        last_seen_at=moment(row["last_seen_at"]),
        workloads=orjson.loads(row["workloads"]),
        slots=orjson.loads(row["slots"]),
        left_out=tuple(LeftOut(**one) for one in orjson.loads(row["left_out"])),
    )


def _unseen_for(row: Row) -> timedelta:
    return moment(row["now"]) - moment(row["last_seen_at"])


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
