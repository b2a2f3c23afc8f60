"""Workloads that an operator has paused: their tasks are accepted and wait, what runs goes on, and no worker takes another one."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.catalogue import Catalogue, Workload
from app.db import NOW, Database, moment
from app.errors import NotFound

log = logging.getLogger(__name__)

FRESH: Final = 1.0  # seconds that an answer is kept in this process
TOPIC: Final = "paused"  # of the signal that says that something was paused or resumed


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when a workload is paused, and by whom: an operator's name, empty where the account is gone."""

    since: datetime
    by: str


class Pauses:
    """`signal` tells every worker that there is news. It may be lost: they look by themselves too."""

    def __init__(
        self,
        db: Database,
        catalogue: Catalogue,
        *,
        signal: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._catalogue = catalogue
        self._signal = signal
        self._clock = clock
        self._known: tuple[float, Mapping[str, Pause]] = (float("-inf"), {})

    async def all(self) -> Mapping[str, Pause]:
        """Every pause, by each name that its workload has or had."""
        read_at, known = self._known
        return known if self._clock() - read_at <= FRESH else await self.read()

    async def read(self) -> Mapping[str, Pause]:
        """The same, from the database."""
        rows = await self._db.fetch_all(
            "SELECT p.name, p.since, u.username FROM paused_workloads p LEFT JOIN users u ON u.id = p.paused_by"
        )
        known = {row["name"]: Pause(moment(row["since"]), row["username"] or "") for row in rows}
        for workload in await self._catalogue.all() if known else ():
            names = _names(workload)
            if found := next((known[name] for name in names if name in known), None):
                known |= dict.fromkeys(names, found)
        self._known = self._clock(), known
        return known

    async def pause(self, name: str, operator: int) -> None:
        """Let no more tasks of this workload start. Raises `NotFound`."""
        workload = await self._found(name)
        sql = f"INSERT INTO paused_workloads (name, since, paused_by) VALUES (:name, {NOW}, :operator) ON CONFLICT (name) DO NOTHING"
        await self._db.execute(sql, {"name": workload.name, "operator": operator})
        log.info("user %d paused %s", operator, workload.name)
        await self._tell()

    async def resume(self, name: str, operator: int) -> None:
        """Let them start again, at once. Raises `NotFound`."""
        workload = await self._found(name)
        for one in _names(workload):
            await self._db.execute("DELETE FROM paused_workloads WHERE name = :name", {"name": one})
        log.info("user %d resumed %s", operator, workload.name)
        await self._tell()

    async def _found(self, name: str) -> Workload:
        workload = await self._catalogue.get(name)
        if workload is None:
            raise NotFound(f"There is no workload {name}.")
        return workload

    async def _tell(self) -> None:
        self._known = float("-inf"), {}
        await self._signal()


def unless(names: Collection[str]) -> tuple[str, dict[str, str]]:
    """A condition that leaves these workloads out, to go on with behind others, and its values; empty for none."""
    values = {f"unless_{at}": name for at, name in enumerate(sorted(names))}
    marks = ", ".join(f":{name}" for name in values)
    return (f" AND workload NOT IN ({marks})" if values else ""), values


def _names(workload: Workload) -> tuple[str, ...]:
    return workload.name, *workload.aliases
