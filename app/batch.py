"""Batcher: what one turn of the loop brings goes in one flush; the first leaves at once, nothing waits for more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Gathers items while a flush runs and sends them in the next one; one flush at a time.

    `flush` takes up to `most` items and returns one answer an item, in order. When a flush of several raises one of `singly` (a data error), its items go
    one by one, so that a bad item fails alone; any other exception (a lost connection) goes to every item of that flush.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int = 200,
        singly: tuple[type[Exception], ...] = (),
    ) -> None:
        self._flush = flush
        self._most = most
        self._singly = singly
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Answer:
        """The answer to `item`. A caller that is cancelled leaves the flush and the others alone."""
        return await self._add(item)

    def put(self, item: Item) -> None:
        """Send `item` without waiting for its answer; an error is logged."""
        self._add(item).add_done_callback(_log_error)

    async def drained(self) -> None:
        """Until nothing waits and no flush runs."""
        while self._running is not None:
            await asyncio.wait([self._running])

    def _add(self, item: Item) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def _run(self) -> None:
        # No await between finding nothing waiting and becoming idle: an item that came in between would wait for ever.
        while batch := self._waiting[: self._most]:
            del self._waiting[: self._most]
            await self._send(batch)
        self._running = None

    async def _send(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
        except self._singly as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                for one in batch:
                    await self._send([one])
        except Exception as error:  # noqa: BLE001  every waiter must hear of it, whatever it is
            _fail(batch, error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _fail(batch: list[tuple[Item, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _log_error(future: asyncio.Future[Answer]) -> None:
    if not future.cancelled() and (error := future.exception()):
        log.warning("%s", error)
