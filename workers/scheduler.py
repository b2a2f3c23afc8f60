"""The scheduler: starts the tasks of schedules when their time has come. One runs in every worker; a time that several see starts one task all the same."""

import asyncio
import logging
import random
from typing import Final

from app.errors import Unavailable
from app.schedules.firing import Firing
from app.schedules.store import ScheduleStore

log = logging.getLogger(__name__)

MOST: Final = 100  # schedules in one look


class Scheduler:
    """`every`: seconds between two looks, at most."""

    def __init__(self, store: ScheduleStore, firing: Firing, *, every: float) -> None:
        self._store = store
        self._firing = firing
        self._every = every

    async def run(self) -> None:
        """Look until cancelled. A database that is away puts it off."""
        while True:
            try:
                while await self.look() == MOST:
                    pass
            except Unavailable as error:
                log.debug("schedules put off: %s", error)
            await asyncio.sleep(random.uniform(0.5, 1) * self._every)

    async def look(self) -> int:
        """Bring what is due to its next time; returns for how many schedules that went well."""
        now = await self._store.now()
        due = await self._store.due(now, MOST)
        done = 0
        random.shuffle(due)  # so that several workers share the work instead of doing each piece at once
        for schedule in due:
            try:
                await self._firing.fire(schedule, now)
                done += 1
            except Unavailable:
                raise
            except Exception:
                # The others do not wait for one that nobody can start; it is tried again at the next look.
                log.exception("schedule %s could not start its task", schedule.id)
        return done
