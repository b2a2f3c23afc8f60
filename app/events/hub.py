"""The hub: follow a user's events, replay first, then live; every event once, in order, whatever is lost on the way."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import Unavailable
from app.events.fanout import Fanout
from app.events.feed import PAGE, RETRY_FIRST, RETRY_MOST, Feed, Listener
from app.events.model import Frame, Log, OutOfRange, Snapshot

log = logging.getLogger(__name__)

LINGER: Final = 5.0  # seconds that a feed outlives its last follower: a page that loads anew finds it warm


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first item: where the log stands."""

    epoch: str
    seq: int


class Hub:
    """One a process. `recheck` seconds lie between two looks at every followed user's position: what the broker lost is late by so much at most."""

    def __init__(self, events: Log, fanout: Fanout, *, recheck: float = 5.0, grace: float = 0.1) -> None:
        self._log = events
        self._fanout = fanout
        self._recheck = recheck
        self._grace = grace
        self._feeds: dict[int, Feed] = {}
        self._closing: dict[int, asyncio.TimerHandle] = {}
        self._closed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start the recheck."""
        self._keep(asyncio.create_task(self._recheck_for_ever()))

    async def close(self) -> None:
        """Every follower's iteration ends."""
        self._closed.set()
        for timer in self._closing.values():
            timer.cancel()
        for feed in list(self._feeds.values()):
            for listener in feed.listeners:
                listener.news.set()
            await feed.close()
        self._feeds.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def deliver_local(self, frames: Sequence[Frame]) -> None:
        """Hand over events that this process committed a moment ago, without the way through the broker."""
        for frame in frames:
            if feed := self._feeds.get(frame.user_id):
                feed.arrive((frame,))

    @contextlib.asynccontextmanager
    async def follow(self, user_id: int, after: int | None = None, epoch: str | None = None) -> AsyncIterator["AsyncIterator[Welcome | Snapshot | Frame]"]:
        """A `Welcome`, then the frames after `after` (None: from now on). A `Snapshot` where one cannot resume: start anew from it.

        The iteration ends when the hub closes.
        """
        feed = self._feed(user_id)
        listener = Listener()
        feed.listeners.add(listener)
        try:
            await asyncio.shield(feed.ready)
            yield self._items(feed, listener, after, epoch)
        finally:
            feed.listeners.discard(listener)
            if not feed.listeners and not self._closed.is_set():
                loop = asyncio.get_running_loop()
                self._closing[user_id] = loop.call_later(LINGER, self._let_go, feed)

    async def _items(self, feed: Feed, listener: Listener, after: int | None, epoch: str | None) -> AsyncIterator[Welcome | Snapshot | Frame]:
        generation = feed.generation
        cursor = feed.head if after is None else after
        yield Welcome(feed.epoch, feed.head)
        must_reset = after is not None and epoch is not None and epoch != feed.epoch
        while not self._closed.is_set():
            listener.news.clear()
            if must_reset or generation != feed.generation:
                generation, must_reset = feed.generation, False
                snapshot = await self._snapshot(feed.user_id)
                if snapshot is None:
                    return
                cursor = snapshot.seq
                yield snapshot
                continue
            frames = feed.since(cursor)
            if frames is None or cursor > feed.head:
                try:
                    frames = await self._read(feed.user_id, cursor)
                except OutOfRange:
                    must_reset = True
                    continue
            for frame in frames:
                cursor = frame.seq or cursor
                yield frame
            while listener.progress:
                yield listener.progress.pop(next(iter(listener.progress)))
            if not frames:
                await listener.news.wait()

    async def _read(self, user_id: int, after: int) -> list[Frame]:
        wait = RETRY_FIRST
        while not self._closed.is_set():
            try:
                return await self._log.since(user_id, after, PAGE)
            except Unavailable:
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST)
        return []

    async def _snapshot(self, user_id: int) -> Snapshot | None:
        wait = RETRY_FIRST
        while not self._closed.is_set():
            try:
                return await self._log.snapshot(user_id)
            except Unavailable:
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST)
        return None

    def _feed(self, user_id: int) -> Feed:
        if timer := self._closing.pop(user_id, None):
            timer.cancel()
        if user_id not in self._feeds:
            self._feeds[user_id] = Feed(user_id, self._log, self._fanout, grace=self._grace)
        return self._feeds[user_id]

    def _let_go(self, feed: Feed) -> None:
        self._closing.pop(feed.user_id, None)
        del self._feeds[feed.user_id]
        self._keep(asyncio.create_task(feed.close()))

    async def _recheck_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._recheck)
            try:
                await self._check()
            except Unavailable as error:
                log.debug("recheck put off: %s", error)

    async def _check(self) -> None:
        epoch = await self._log.epoch()
        self._fanout.epoch = epoch
        feeds = [feed for feed in self._feeds.values() if feed.ready.done()]
        if not feeds:
            return
        positions = await self._log.positions([feed.user_id for feed in feeds])
        for feed in feeds:
            seq = positions.get(feed.user_id, 0)
            if epoch != feed.epoch:
                feed.reset(epoch, seq)
            elif seq > feed.head:
                feed.fall_behind()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
