"""How the whole service does, for those who operate it: queues, workers, throughput, times and failures. Nothing of what is in a task but why it failed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.catalogue import Catalogue, Sighting
from app.db import Database
from app.ops.backlog import Backlog, backlog
from app.ops.failures import Cause, Failures
from app.ops.history import Minute, Times, minutes, times
from app.tasks.pauses import Pause, Pauses

FRESH: Final = 1.0  # seconds that an answer is kept, however many operators look


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All of it at one moment."""

    backlog: Backlog
    pauses: Mapping[str, Pause]
    workers: list[Sighting]
    minutes: list[Minute]
    times: Mapping[str, Times]
    causes: list[Cause]


class Overview:
    """Reads it from the database: what it says survives every restart."""

    def __init__(
        self,
        db: Database,
        catalogue: Catalogue,
        pauses: Pauses,
        failures: Failures,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = failures
        self._db = db
        self._catalogue = catalogue
        self._pauses = pauses
        self._clock = clock
        self._known: tuple[float, View | None] = (float("-inf"), None)

    async def view(self, *, now: bool = False) -> View:
        """What there is to see; `now`: not even a second old. Raises `Unavailable`."""
        read_at, known = self._known
        if known is None or now or self._clock() - read_at > FRESH:
            waits = await backlog(self._db, await self._catalogue.all())
            known = View(
                backlog=waits,
                pauses=await self._pauses.read(),
                workers=await self._catalogue.sightings(),
                minutes=await minutes(self._db, waits.now),
                times=await times(self._db),
                causes=await self.failures.causes(),
            )
            self._known = self._clock(), known
        return known
