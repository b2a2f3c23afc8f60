"""Claims of which no answer came: they may have committed all the same. What did goes back to the queue, and counts as no lost worker."""

import asyncio
import logging
import time
from typing import Final
from uuid import UUID

from app.errors import Unavailable
from app.tasks.model import Ending
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox

log = logging.getLogger(__name__)

EVERY: Final = 0.5  # seconds


class Doubts:
    """Asks the database for a while: a statement that it got before it fell silent may be carried out when it wakes. After that the lease decides."""

    def __init__(self, moves: Moves, outbox: Outbox, *, lasting: float) -> None:
        self._moves = moves
        self._outbox = outbox
        self._lasting = lasting  # seconds of answers
        self._tokens: dict[UUID, float | None] = {}  # until when; None while nothing was answered
        self._some = asyncio.Event()

    def add(self, token: UUID) -> None:
        """No answer came to a claim under this token."""
        self._tokens[token] = None
        self._some.set()

    async def run(self) -> None:
        """Settle what is in doubt, until cancelled."""
        while True:
            await self._some.wait()
            try:
                await self._settle()
            except Unavailable as error:
                log.debug("claims stay in doubt: %s", error)
            if not self._tokens:
                self._some.clear()
            await asyncio.sleep(EVERY)

    async def _settle(self) -> None:
        for token, until in list(self._tokens.items()):
            if claimed := await self._moves.under(token):
                log.warning("%d tasks were claimed without an answer: they go back to the queue", len(claimed))
                endings = [
                    Ending(id=task_id, attempt=attempt, token=token, verdict="released") for task_id, attempt in claimed
                ]
                self._outbox.committed(event for event in await self._moves.finish(endings) if event is not None)
            now = time.monotonic()
            if claimed or (until is not None and until < now):
                del self._tokens[token]
            elif until is None:
                self._tokens[token] = now + self._lasting
