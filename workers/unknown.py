"""Tasks that no worker has known how to run for a day: they fail, and say what was missing, instead of waiting for ever."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from app.catalogue import Catalogue
from app.db import NOW, Database
from app.errors import Unavailable
from app.tasks.model import Claim, Ending
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.pauses import Pauses

log = logging.getLogger(__name__)

LOOKS: Final = 24  # in the time that a workload may be unknown, so that one that comes and goes is seen
PIECE: Final = 100  # tasks at once


class _Kind(NamedTuple):
    workload: str
    lane: str
    version: int


class UnknownWorkloads:
    """Fails the tasks of workloads that no worker has offered, or only in older versions, for as long as `after`. Those of a paused one wait for whoever paused it.

    Every worker counts for itself, from its own first look: after an outage of all of them, a plug-in that comes back late has its whole time again.
    """

    def __init__(
        self,
        *,
        worker_id: UUID,
        db: Database,
        catalogue: Catalogue,
        moves: Moves,
        outbox: Outbox,
        pauses: Pauses,
        after: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker_id = worker_id
        self._db = db
        self._catalogue = catalogue
        self._moves = moves
        self._outbox = outbox
        self._pauses = pauses
        self._after = after
        self._clock = clock
        self._unknown_since: dict[_Kind, float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.debug("no look for unknown workloads: %s", error)
            await asyncio.sleep(self._after.total_seconds() / LOOKS)

    async def look(self) -> int:
        """Fail what has waited long enough; returns how many tasks."""
        offered: dict[str, int] = {}
        for worker in await self._catalogue.workers():
            for name, version in worker.workloads.items():
                offered[name] = max(version, offered.get(name, version))
        paused = await self._pauses.all()
        now = self._clock()
        unknown = [
            kind
            for kind in await self._waiting()
            if offered.get(kind.workload, -1) < kind.version and kind.workload not in paused
        ]
        self._unknown_since = {kind: self._unknown_since.get(kind, now) for kind in unknown}
        failed = 0
        for kind, since in self._unknown_since.items():
            if now - since >= self._after.total_seconds():
                failed += await self._fail(kind, offered.get(kind.workload))
        return failed

    async def _waiting(self) -> list[_Kind]:
        """What is due."""
        sql = f"SELECT DISTINCT workload, lane, version FROM tasks WHERE state = 'queued' AND run_at <= {NOW}"
        return [_Kind(row["workload"], row["lane"], row["version"]) for row in await self._db.fetch_all(sql)]

    async def _fail(self, kind: _Kind, offered: int | None) -> int:
        error = orjson.dumps(await self._error(kind, offered)).decode()
        able = {kind.workload: kind.version}
        failed = 0
        while claims := await self._moves.claim(self._worker_id, kind.lane, able, PIECE, oldest=kind.version):
            self._outbox.committed(claim.event for claim in claims)
            events = await self._moves.finish([_failed(claim, error) for claim in claims])
            self._outbox.committed(event for event in events if event is not None)
            failed += len(claims)
        if failed:
            log.warning(
                "%d tasks of %s failed: no worker has known version %d of it for %s",
                failed,
                kind.workload,
                kind.version,
                self._after,
            )
        return failed

    async def _error(self, kind: _Kind, offered: int | None) -> dict[str, str]:
        if offered is not None:
            return {
                "kind": "error",
                "message": f"No worker has known version {kind.version} of {kind.workload} for {_said(self._after)}; those that run know version {offered}.",
                "hint": "Start the task again for the present version, or ask an administrator for workers of the newer release.",
            }
        known = await self._catalogue.get(kind.workload)
        plug_in = f"the plug-in {known.plug_in}" if known and known.plug_in else "the plug-in that brings it"
        return {
            "kind": "error",
            "message": f"No worker has known the workload {kind.workload} for {_said(self._after)}.",
            "hint": f"Ask an administrator to install {plug_in} where a worker runs. Then start the task again.",
        }


def _failed(claim: Claim, error: str) -> Ending:
    return Ending(id=claim.id, attempt=claim.attempt, token=claim.token, verdict="failed", error=error)


def _said(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
