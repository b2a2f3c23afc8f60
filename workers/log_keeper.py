"""Stores the lines of running attempts: every second what is new, and the rest before an attempt's end is written."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from app.batch import Batcher
from app.errors import Unavailable, Unstorable
from app.tasks.model import LogPiece
from app.tasks.moves import Moves
from workers.running import Running

log = logging.getLogger(__name__)

AGAIN: Final = 0.5  # seconds, about, between two tries to write


class LogKeeper:
    """What is stored in one turn of the loop is stored in one statement."""

    def __init__(self, moves: Moves) -> None:
        self._moves = moves
        self._keep: Batcher[LogPiece, None] = Batcher(self._write, singly=(Unstorable,))

    async def keep(self, running: Iterable[Running]) -> None:
        """Store what is due. Without a database it waits for the next time."""
        now = time.monotonic()
        due = [one for one in running if one.book.due(now) and not one.ending and not one.void]
        await asyncio.gather(*(self._store(one) for one in due))

    async def keep_rest(self, running: Running) -> None:
        """Store all that is left, until the database answers or the claim is lost."""
        while not running.void and running.book.due(float("inf")):
            if not await self._store(running):
                await asyncio.sleep(random.uniform(0.5, 1.5) * AGAIN)

    async def _store(self, running: Running) -> bool:
        """Whether the database has answered."""
        claim = running.claim
        async with running.storing:  # or two pieces that begin with the same line would be on their way
            first, lines = running.book.unstored()
            if not lines:
                return True
            last = first + len(lines) - 1
            text = orjson.dumps([{"at": one.at, "level": one.level, "text": one.text} for one in lines]).decode()
            try:
                await self._keep(LogPiece(claim.id, claim.attempt, claim.token, first, last, text))
            except Unavailable as error:
                log.warning("task %s: cannot store its log yet: %s", claim.id, error)
                return False
            except Unstorable as error:
                log.warning("task %s: lines of its log cannot be stored: %s", claim.id, error)
            running.book.stored(last, time.monotonic())
            return True

    async def _write(self, pieces: Sequence[LogPiece]) -> Sequence[None]:
        try:
            await self._moves.keep_log(pieces)
        except (Unavailable, Unstorable):
            raise
        except Exception as error:
            # A fault of ours. Each piece goes by itself then: no task may lose its log, or even its end, by that of another.
            log.exception("%d pieces of logs could not be stored", len(pieces))
            raise Unstorable from error
        return [None] * len(pieces)
