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
SETTLED_AFTER: Final = 1.0  # seconds from the first answer, for who cannot wait longer


class Doubts:
    """Asks the database for a while: a statement that it got before it fell silent may be carried out when it wakes. After that the lease decides."""

    def __init__(self, moves: Moves, outbox: Outbox, *, lasting: float) -> None:
        self._moves = moves
        self._outbox = outbox
        self._lasting = lasting  # seconds of answers
        self._tokens: dict[UUID, float | None] = {}  # when the first answer came; None before
        self._some = asyncio.Event()
        self._asked = asyncio.Event()

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
            except Exception:
                log.exception("claims stay in doubt")
            if not self._tokens:
                self._some.clear()
            self._asked.set()
            await asyncio.sleep(EVERY)

    async def settled(self) -> None:
        """Until it is as good as sure that nothing is claimed unheard, while `run` goes on. No end without the database."""
        while any(
            answered is None or time.monotonic() < answered + SETTLED_AFTER for answered in self._tokens.values()
        ):
            self._asked.clear()
            await self._asked.wait()

    async def _settle(self) -> None:
        for token, answered in list(self._tokens.items()):
            if claimed := await self._moves.under(token):
                log.warning("%d tasks were claimed without an answer: they go back to the queue", len(claimed))
                endings = [
                    Ending(id=task_id, attempt=attempt, token=token, verdict="released") for task_id, attempt in claimed
                ]
                self._outbox.committed(event for event in await self._moves.finish(endings) if event is not None)
            now = time.monotonic()
            if claimed or (answered is not None and answered + self._lasting < now):
                del self._tokens[token]
            elif answered is None:
                self._tokens[token] = now
