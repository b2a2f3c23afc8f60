"""The monitor of a web process: which parts do not answer, for the pages that are open and for the log, once a change."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final

from app.errors import TasklineError
from app.ops.parts import PARTS

log = logging.getLogger(__name__)

EVERY: Final = 2.0  # seconds between looks
AGAIN: Final = 0.5  # seconds until a part that did not answer is asked again, and between looks while one is down
PATIENCE: Final = 2.5  # seconds for an answer
STRIKES: Final = 2  # questions in a row without an answer: a pool that is busy for a moment is not down

Question = Callable[[], Awaitable[None]]


class Monitor:
    """`questions`: of each part of `PARTS`, something that returns when the part answers and raises when it does not."""

    def __init__(self, questions: Mapping[str, Question]) -> None:
        self.down: tuple[str, ...] = ()
        self._questions = questions
        self._strikes = dict.fromkeys(questions, 0)
        self._listeners: set[Callable[[], None]] = set()
        self._asking: dict[str, asyncio.Task[str | None]] = {}

    async def ask(self) -> dict[str, str | None]:
        """What each part says now: None where it answers. Takes `PATIENCE` seconds at most.

        A question that got no answer in time stays open, and no other is put beside it: a server that froze must not find a hundred of them when it wakes.
        """
        for name, question in self._questions.items():
            if name not in self._asking or self._asking[name].done():
                self._asking[name] = asyncio.create_task(_asked(question))
        asked = dict(self._asking)
        await asyncio.wait(asked.values(), timeout=PATIENCE)
        return {
            name: asked[name].result() if asked[name].done() else f"No answer within {PATIENCE:g} s."
            for name in self._questions
        }

    @contextlib.contextmanager
    def telling(self, changed: Callable[[], None]) -> Iterator[None]:
        """Call `changed` when `down` is another one."""
        self._listeners.add(changed)
        try:
            yield
        finally:
            self._listeners.discard(changed)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look every moment meanwhile."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            for task in (watch, *self._asking.values()):
                task.cancel()
            await asyncio.wait([watch])

    async def _watch(self) -> None:
        while True:
            self._take(await self.ask())
            await asyncio.sleep(AGAIN if any(self._strikes.values()) else EVERY)

    def _take(self, said: Mapping[str, str | None]) -> None:
        for name, problem in said.items():
            if problem is not None and self._strikes[name] + 1 == STRIKES:
                log.warning("the %s is away: %s %s", name, problem, PARTS[name].meanwhile)
            elif problem is None and self._strikes[name] >= STRIKES:
                log.info("the %s answers again", name)
            self._strikes[name] = 0 if problem is None else self._strikes[name] + 1
        down = tuple(name for name, strikes in self._strikes.items() if strikes >= STRIKES)
        if down != self.down:
            self.down = down
            for changed in list(self._listeners):
                changed()


async def _asked(question: Question) -> str | None:
    try:
        await question()
    except TasklineError as error:
        return error.detail
    except Exception as error:  # whatever it is, the part is of no use
        log.debug("a part does not answer", exc_info=error)
        return f"It fails ({type(error).__name__})."
    return None
