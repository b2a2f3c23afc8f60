"""Fanout: committed events to every process that follows their user, by broadcaster. Losing a message is allowed: the log has it."""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from broadcaster import Broadcast, BroadcastBackend

from app.errors import Unavailable
from app.events.history import History
from app.events.model import GAP, Frame, Gap
from app.events.sealed import OtherEpoch, Seal

if TYPE_CHECKING:
    from app.events.redis_backend import RedisBackend

log = logging.getLogger(__name__)


class Fanout:
    """One a process; `url` is `memory://` or `redis://…`.

    `deployment` prefixes every channel: Redis pub/sub ignores database numbers. `epoch` is the history that events belong to; the hub keeps `history` up to
    date.
    """

    def __init__(self, url: str, *, deployment: str, key: bytes, epoch: str) -> None:
        self.history = History(epoch)
        self._deployment = deployment
        self._seal = Seal(key)
        self._redis = None if urlsplit(url).scheme == "memory" else _redis_backend(url)
        # broadcaster calls the methods that RedisBackend has; its base class is no more than their list.
        self._broadcast = (
            Broadcast(backend=cast("BroadcastBackend", self._redis)) if self._redis else Broadcast("memory://")
        )
        self._taken = True  # whether the broker took what was sent last

    @property
    def connected(self) -> bool:
        """Whether anything can arrive, as far as is known."""
        return self._redis is None or self._redis.connected

    async def open(self) -> None:
        """Start. A broker that does not answer is no error."""
        await self._broadcast.connect()

    async def close(self) -> None:
        """Stop."""
        await self._broadcast.disconnect()

    async def ping(self) -> None:
        """Return when the broker answers. Raises `Unavailable`."""
        if self._redis is not None:
            await self._redis.ping()

    async def check(self) -> None:
        """Return when the broker answers, and brings what is published. Raises `Unavailable`."""
        await self.ping()
        if not self.connected:
            raise Unavailable("Redis brings no events.")

    async def publish(self, frames: Sequence[Frame]) -> None:
        """Send frames, those of a user in one message, all in one round trip. Takes 2 s at most and never raises: what gets lost is in the log."""
        by_user: dict[int, list[Frame]] = {}
        for frame in filter(self.history.holds, frames):
            by_user.setdefault(frame.user_id, []).append(frame)
        epoch = self.history.epoch
        if by_user:
            await self._send(
                [(self._channel(user), self._seal.frames(epoch, user, some)) for user, some in by_user.items()]
            )

    @contextlib.asynccontextmanager
    async def subscribe(self, user_id: int) -> AsyncIterator[AsyncIterator[list[Frame] | Gap]]:
        """What is published for a user. A `Gap` comes first, once the subscription is in force, and whenever something may have been missed.

        Progress that this process published itself does not come back: `Hub.deliver_local` is for that.
        """
        async with self._broadcast.subscribe(self._channel(user_id)) as subscriber:
            yield self._heard(subscriber, user_id)

    async def signal(self, topic: str, payload: dict[str, Any]) -> None:
        """Tell every process something small. Takes 2 s at most and never raises."""
        await self._send([(self._topic(topic), self._seal.signal(payload))])

    async def subscribe_signals(self, topic: str, heed: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Call `heed` for every signal of a topic, until cancelled. Signals may be lost: whoever needs them all checks the database too."""
        async with self._broadcast.subscribe(self._topic(topic)) as subscriber:
            while True:
                message = await _next(subscriber)
                if message != GAP and (payload := self._seal.open_signal(message)) is not None:
                    try:
                        await heed(payload)
                    except Exception:
                        # The next signal is none the worse for it.
                        log.exception("a signal about %s was not heeded", topic)

    async def _heard(self, subscriber: Any, user_id: int) -> AsyncIterator[list[Frame] | Gap]:
        if self._redis is None:
            yield Gap()  # in memory a subscription is in force at once
        while True:
            message = await _next(subscriber)
            if message == GAP:
                yield Gap()
            else:
                try:
                    frames = self._seal.open_frames(message, self.history.epoch, user_id)
                except OtherEpoch:
                    self.history.on_suspicion()
                    continue
                if frames:
                    yield frames

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        try:
            if self._redis is not None:
                await self._redis.publish_all(messages)
            else:
                for channel, message in messages:
                    await self._broadcast.publish(channel, message)
        except Unavailable as error:
            if self._taken:
                log.warning("events do not get through, followers read them from the database: %s", error)
            self._taken = False
        else:
            if not self._taken:
                log.info("events get through again")
            self._taken = True

    def _channel(self, user_id: int) -> str:
        return f"{self._deployment}:user:{user_id}"

    def _topic(self, topic: str) -> str:
        return f"{self._deployment}:signal:{topic}"


def _redis_backend(url: str) -> "RedisBackend":
    # Its library is imported only where it is in use.
    from app.events.redis_backend import RedisBackend

    return RedisBackend(url)


async def _next(subscriber: Any) -> bytes:
    # broadcaster's annotation says str; it hands on what was published.
    message: bytes = (await subscriber.get()).message
    return message
