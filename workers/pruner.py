"""The pruner: forgets, every hour, what retention allows to be forgotten. One worker of a deployment does it at a time."""

import asyncio
import logging
import random
from datetime import timedelta
from typing import Final

from app.accounts import Sessions
from app.errors import Unavailable
from app.tasks.pruning import Pruning
from app.tasks.retention import Retention

log = logging.getLogger(__name__)

EVERY: Final = timedelta(hours=1)
FIRST_WITHIN: Final = 30.0  # seconds after the start


class Pruner:
    """One runs in every worker; whoever comes first in an hour prunes for all."""

    def __init__(self, pruning: Pruning, sessions: Sessions, retention: Retention) -> None:
        self._pruning = pruning
        self._sessions = sessions
        self._retention = retention

    async def run(self) -> None:
        """Prune until cancelled. A database that is away puts it off."""
        await asyncio.sleep(random.uniform(0, FIRST_WITHIN))
        while True:
            try:
                # A little less than the pause: the same worker may be the one again.
                if await self._pruning.its_turn(EVERY / 2):
                    await self.prune()
            except Unavailable as error:
                log.debug("pruning put off: %s", error)
            except Exception:
                # A worker works on without it, and an hour later it may go better.
                log.exception("what is old could not be pruned")
            await asyncio.sleep(EVERY.total_seconds() * random.uniform(0.75, 1.25))

    async def prune(self) -> None:
        """Forget events, keys and sessions, remove files."""
        forgotten = {
            "events": await self._pruning.events(),
            "idempotency keys": await self._pruning.keys(),
            "sessions": await self._sessions.prune(),
            "uploads": await self._retention.uploads(),
            "stored objects": await self._retention.objects(),
        }
        if any(forgotten.values()):
            log.info("forgotten: %s", ", ".join(f"{count} {what}" for what, count in forgotten.items() if count))
