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
