"""Writing how attempts ended: artifacts first, then the row and its event in one commit, as often as it takes."""

import asyncio
import logging
import random
import time
from typing import Any, Final

import orjson

from app.artifacts.results import Results
from app.artifacts.room import NoRoom
from app.batch import Batcher
from app.errors import TasklineError, Unavailable, Unstorable
from app.tasks.model import Ending, Event
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.retry import backoff
from workers.assignment import Outcome
from workers.running import Running

log = logging.getLogger(__name__)

AGAIN: Final = 0.5  # seconds, about, between two tries to write
# Seconds that the files of a result are tried to store: what may have taken hours to make is worth that its slot stays taken for a while.
KEEP_WITHIN: Final = 600.0


class Endings:
    """What ends in one turn of the loop is written in one statement."""

    def __init__(self, moves: Moves, outbox: Outbox, results: Results) -> None:
        self._outbox = outbox
        self._results = results
        self._finish: Batcher[Ending, Event | None] = Batcher(moves.finish, singly=(Unstorable,))

    async def write(self, running: Running, outcome: Outcome) -> None:
        """Write it until the database answers, or the claim is lost: then it is another worker's task, and nothing is written."""
        kept: list[dict[str, Any]] = []
        if outcome.artifacts and outcome.kind == "succeeded":
            outcome, kept = await self._kept(running, outcome)
        event = await self._finished(running, _ending(running, outcome, kept))
        if event is not None:
            self._outbox.committed([event])

    async def _kept(self, running: Running, outcome: Outcome) -> tuple[Outcome, list[dict[str, Any]]]:
        """The files of a success, stored; or what the attempt comes to without them."""
        claim, until = running.claim, time.monotonic() + KEEP_WITHIN
        while True:
            try:
                return outcome, await self._results.keep(
                    claim.user_id, claim.id, claim.attempt, claim.token, outcome.artifacts
                )
            except NoRoom as error:
                return Outcome.failure("error", error.detail, f"{error.hint} Then start it again."), []
            except TasklineError as error:
                if running.stop.reason is not None:
                    return Outcome.stopped(running.stop), []
                if not isinstance(error, Unavailable) or time.monotonic() > until:
                    message = f"The files of the result could not be stored. {error.detail}"
                    return Outcome.failure("error", message, retry=True), []
                log.warning("task %s: cannot store the files of its result yet: %s", claim.id, error)
                await _pause()

    async def _finished(self, running: Running, ending: Ending) -> Event | None:
        """The event; None where the claim was lost, or where an earlier try has committed but its answer was not heard (then the log tells the followers)."""
        while not running.void:
            try:
                return await self._finish(ending)
            except Unavailable as error:
                log.warning("task %s: cannot write its end yet: %s", ending.id, error)
                await _pause()
            except Unstorable as error:
                problem = {"kind": "error", "message": "The result cannot be stored.", "hint": error.detail}
                ending = Ending(
                    id=ending.id, attempt=ending.attempt, token=ending.token, verdict="failed", error=_text(problem)
                )
        return None


async def _pause() -> None:
    await asyncio.sleep(random.uniform(0.5, 1.5) * AGAIN)


def _ending(running: Running, outcome: Outcome, kept: list[dict[str, Any]]) -> Ending:
    claim = running.claim
    return Ending(
        id=claim.id,
        attempt=claim.attempt,
        token=claim.token,
        verdict="released" if outcome.kind == "withdrawn" else outcome.kind,
        retry_after=backoff(claim.attempt) if outcome.retry_after is None else outcome.retry_after,
        summary=outcome.summary,
        result=_text(outcome.result),
        error=_text(outcome.error),
        artifacts=_text(kept or None),
    )


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
