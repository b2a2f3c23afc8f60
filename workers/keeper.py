"""Keeps what running attempts say, once a second: how far they are, and the new lines of their logs."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from app.errors import Unavailable
from app.tasks.moves import Moves
from workers.log_keeper import LogKeeper
from workers.running import Running

log = logging.getLogger(__name__)

EVERY: Final = 1.0  # seconds


class Keeper:
    """`running` tells what runs."""

    def __init__(self, moves: Moves, running: Callable[[], Sequence[Running]]) -> None:
        self._moves = moves
        self._running = running
        self._logs = LogKeeper(moves)

    async def run(self) -> None:
        """Keep it until cancelled, whatever one of them says."""
        while True:
            await asyncio.sleep(EVERY)
            running = self._running()
            for keep in (self._mark, self._logs.keep):
                try:
                    await keep(running)
                except Exception:
                    log.exception("what running tasks said could not be kept")

    async def rest(self, running: Running) -> None:
        """Before its end is written: all that is left of its log, until the database answers or the claim is lost."""
        await self._logs.keep_rest(running)

    async def _mark(self, running: Sequence[Running]) -> None:
        if marks := [mark for one in running if (mark := one.progress.mark())]:
            with contextlib.suppress(Unavailable):
                await self._moves.mark(marks)
