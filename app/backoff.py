"""Trying again: a server that is away comes back, and must not be hammered meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from app.errors import Unavailable

Answer = TypeVar("Answer")


def pauses(first: float = 0.1, most: float = 2.0) -> Iterator[float]:
    """Seconds until each next try: they double, with jitter, so that processes do not come back in step."""
    longest = first
    while True:
        yield random.uniform(longest / 2, longest)
        longest = min(2 * longest, most)


async def until_available(read: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of `read`, tried again for as long as it raises `Unavailable`."""
    waits = pauses()
    while True:
        try:
            return await read()
        except Unavailable:
            await asyncio.sleep(next(waits))


class Backoff:
    """The pauses of a connection that is made anew for ever; a time of calm starts them over."""

    def __init__(self, first: float = 0.2, most: float = 5.0) -> None:
        self._first = first
        self._most = most
        self._pauses = pauses(first, most)
        self._tried_at = float("-inf")

    async def wait(self) -> None:
        """Sleep until the next try is due."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._tried_at > 2 * self._most:
            self._pauses = pauses(self._first, self._most)
        await asyncio.sleep(next(self._pauses))
        self._tried_at = loop.time()
