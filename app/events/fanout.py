"""Fanout: committed events to every process that follows their user, by broadcaster. Losing a message is allowed: the log has it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from broadcaster import Broadcast

from app.errors import Unavailable
from app.events.model import Frame, Gap
from app.events.redis_backend import GAP, RedisBackend
from app.events.sealed import Seal

log = logging.getLogger(__name__)

SAY_AGAIN_AFTER: Final = 30.0  # seconds between two log lines about the same trouble


class Fanout:
    """`deployment` prefixes every channel: Redis pub/sub ignores database numbers. `epoch` marks the history that events belong to; the hub keeps it up to date."""

    def __init__(self, url: str, *, deployment: str, key: bytes, epoch: str) -> None:
        self._deployment = deployment
        self._seal = Seal(key)
        self._redis = None if urlsplit(url).scheme == "memory" else RedisBackend(url, home=f"{deployment}:home")
        self._broadcast = Broadcast(backend=self._redis) if self._redis else Broadcast("memory://")
        self._said_at = float("-inf")
        self.epoch = epoch

    async def open(self) -> None:
        """Start. A broker that does not answer is no error."""
        await self._broadcast.connect()

    async def close(self) -> None:
        """Stop."""
        await self._broadcast.disconnect()

    async def ping(self) -> None:
        """Return when the broker answers; raises `Unavailable` when not."""
        if self._redis is not None:
            await self._redis.ping()

    async def publish(self, frames: Sequence[Frame]) -> None:
        """Send frames, those of a user in one message. Never raises: what does not get through is in the log."""
        by_user: dict[int, list[Frame]] = {}
        for frame in frames:
            by_user.setdefault(frame.user_id, []).append(frame)
        messages = [(self._channel(user), self._seal.frames(self.epoch, user, some)) for user, some in by_user.items()]
        await self._send(messages)

    @contextlib.asynccontextmanager
    async def subscribe(self, user_id: int) -> AsyncIterator[AsyncIterator[list[Frame] | Gap]]:
        """What is published for a user from now on. A `Gap` means: from here on nothing is missed, but before it something may have been."""
        async with self._broadcast.subscribe(self._channel(user_id)) as subscriber:
            yield self._opened(subscriber, user_id)

    async def signal(self, topic: str, payload: dict[str, Any]) -> None:
        """Tell every process something small. Never raises."""
        await self._send([(f"{self._deployment}:signal:{topic}", self._seal.signal(payload))])

    async def subscribe_signals(self, topic: str, heed: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Call `heed` for every signal of a topic, until cancelled. Signals may be lost: whoever needs them all checks the database too."""
        async with self._broadcast.subscribe(f"{self._deployment}:signal:{topic}") as subscriber:
            async for event in subscriber:  # type: ignore[union-attr]  # broadcaster's annotation allows None, its code never returns it
                if event.message != GAP and (payload := self._seal.open_signal(event.message)) is not None:
                    await heed(payload)

    async def _opened(self, subscriber: Any, user_id: int) -> AsyncIterator[list[Frame] | Gap]:
        async for event in subscriber:
            yield Gap() if event.message == GAP else self._seal.open_frames(event.message, self.epoch, user_id)

    async def _send(self, messages: Sequence[tuple[str, str]]) -> None:
        sent = await asyncio.gather(*(self._broadcast.publish(*message) for message in messages), return_exceptions=True)
        for error in sent:
            if isinstance(error, Unavailable):
                if time.monotonic() - self._said_at > SAY_AGAIN_AFTER:
                    self._said_at = time.monotonic()
                    log.warning("events do not get through, followers read them from the database: %s", error)
            elif isinstance(error, BaseException):
                raise error

    def _channel(self, user_id: int) -> str:
        return f"{self._deployment}:user:{user_id}"
