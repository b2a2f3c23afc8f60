"""Backoff: how long to wait before a broker is tried again."""

import asyncio
import random


class Backoff:
    """Waits that double from `least` to `most` seconds, with jitter; a time of calm starts them over."""

    def __init__(self, least: float = 0.2, most: float = 5.0) -> None:
        self._least = least
        self._most = most
        self._failures = 0
        self._tried_at = float("-inf")

    async def wait(self) -> None:
        """Sleep until the next try is due."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._tried_at > 2 * self._most:
            self._failures = 0
        longest = min(self._most, self._least * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        await asyncio.sleep(random.uniform(longest / 2, longest))
        self._tried_at = loop.time()
