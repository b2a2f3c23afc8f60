"""The hub: follow a user's events, replay first, then live; every event once, in order, whatever is lost on the way."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from app.backoff import pauses
from app.errors import Unavailable
from app.events.fanout import Fanout
from app.events.feed import Feed
from app.events.follower import Follower
from app.events.history import UNKNOWN
from app.events.model import Frame, Log

log = logging.getLogger(__name__)

LINGER: Final = 5.0  # seconds that a feed outlives its last follower: a page that loads anew finds it warm
RECHECK: Final = 4.5  # seconds; with the grace and the read of the log, an event is 5 s late at most
RECHECK_ALONE: Final = 1.0  # seconds, while the broker is away
GRACE: Final = 0.1  # seconds
SUSPECTED: Final = 0.2  # seconds between looks at a history that somebody doubts


class Hub:
    """One a process.

    Every `recheck` seconds it compares all followed users with the log: what the broker lost is late by so much at most. An event that arrives before its
    predecessors waits `grace` seconds for them before the log is read.
    """

    def __init__(self, events: Log, fanout: Fanout, *, recheck: float = RECHECK, grace: float = GRACE) -> None:
        self._log = events
        self._fanout = fanout
        self._recheck = recheck
        self._grace = grace
        self._feeds: dict[int, Feed] = {}
        self._lingering: dict[int, asyncio.TimerHandle] = {}
        self._doubtful: set[Feed] = set()
        self._doubts = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looked_at = float("-inf")
        self._suspicion: asyncio.TimerHandle | None = None
        self._suspected = False
        self._closed = False

    @property
    def epoch(self) -> str:
        """Which history this is, as of the last check."""
        return self._fanout.history.epoch

    async def open(self) -> None:
        """Start to compare feeds with the log."""
        self._fanout.history.on_suspicion = self._suspect
        self._keep(asyncio.create_task(self._watch()))

    async def close(self) -> None:
        """Every follower ends."""
        self._closed = True
        for timer in (*self._lingering.values(), self._suspicion):
            if timer is not None:
                timer.cancel()
        feeds = list(self._feeds.values())
        for feed in feeds:
            _end(feed)
        self._feeds.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(feed.close() for feed in feeds), return_exceptions=True)

    def deliver_local(self, frames: Sequence[Frame]) -> None:
        """Hand over events that this process committed a moment ago, and progress, without the way through the broker."""
        for frame in frames:
            if (feed := self._feeds.get(frame.user_id)) and self._fanout.history.holds(frame):
                feed.arrive((frame,))

    @contextlib.contextmanager
    def follow(self, user_id: int, after: int | None = None, epoch: str | None = None) -> Iterator[Follower]:
        """The user's events after number `after` of `epoch`; None: from now on."""
        feed = self._feed(user_id)
        follower = Follower(feed, self._log, self._adopt, after, epoch)
        feed.followers.add(follower)
        if self._closed:
            follower.end()
        try:
            yield follower
        finally:
            feed.followers.discard(follower)
            if not feed.followers and self._feeds.get(user_id) is feed:
                self._lingering[user_id] = asyncio.get_running_loop().call_later(LINGER, self._drop, feed)

    def _feed(self, user_id: int) -> Feed:
        if timer := self._lingering.pop(user_id, None):
            timer.cancel()
        feed = self._feeds.get(user_id)
        if feed is None:
            feed = Feed(user_id, self._log, self._fanout, grace=self._grace, doubt=self._doubt, broken=self._drop)
            self._feeds[user_id] = feed
        return feed

    def _drop(self, feed: Feed) -> None:
        """Stop a feed that nobody follows or that broke; followers of a broken one end, and their clients come back to a new one."""
        if self._feeds.get(feed.user_id) is feed:
            del self._feeds[feed.user_id]
            if timer := self._lingering.pop(feed.user_id, None):
                timer.cancel()
        self._doubtful.discard(feed)
        _end(feed)
        self._keep(asyncio.create_task(feed.close()))

    def _doubt(self, feed: Feed) -> None:
        """Compare the feed with the log at once, together with all others that ask for it meanwhile."""
        self._doubtful.add(feed)
        self._doubts.set()

    def _suspect(self) -> None:
        """The database may have been restored: look, also where somebody doubts it with every message."""
        if self._suspicion is None and not self._closed:
            self._suspicion = asyncio.get_running_loop().call_at(self._looked_at + SUSPECTED, self._look_soon)

    def _look_soon(self) -> None:
        self._suspicion = None
        self._suspected = True
        self._doubts.set()

    def _adopt(self, epoch: str, origin: int | None = UNKNOWN) -> None:
        """What the database is now. Where it is of another epoch, every follower starts anew."""
        history = self._fanout.history
        history.origin = origin
        if epoch != history.epoch:
            log.warning(
                "the events are of epoch %s now, no longer of %s: all followers start anew", epoch, history.epoch
            )
            history.epoch = epoch
            for feed in self._feeds.values():
                feed.forget()
            self._look_soon()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        waits = pauses()
        due = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(due, loop.time() + RECHECK_ALONE)):
                    await self._doubts.wait()
            alone = not (self._doubts.is_set() or self._fanout.connected)
            everything = self._suspected or alone or loop.time() >= due
            if not everything and not self._doubts.is_set():
                continue
            feeds = set(self._feeds.values()) if everything else self._doubtful
            self._doubtful = set()
            self._suspected = False
            self._doubts.clear()
            self._looked_at = loop.time()
            try:
                await self._compare(feeds)
                waits = pauses()
                if everything:
                    due = loop.time() + self._recheck
            except Exception as error:  # without this task nothing that is lost would ever be found
                if not isinstance(error, Unavailable):
                    log.exception("events could not be compared with the log")
                self._doubtful |= {feed for feed in feeds if self._feeds.get(feed.user_id) is feed}
                self._doubts.set()
                await asyncio.sleep(next(waits))

    async def _compare(self, feeds: Collection[Feed]) -> None:
        history = self._fanout.history
        epoch = history.epoch
        heads = {feed: feed.head for feed in feeds}
        standing = await self._log.standing([feed.user_id for feed in feeds])
        if history.epoch != epoch:
            return  # another one was adopted meanwhile, and all are looked at again
        self._adopt(standing.epoch, standing.origin)
        for feed, head in heads.items():
            seq = standing.heads.get(feed.user_id, 0)
            if feed.head is None:
                feed.start(standing.epoch, seq)
            else:
                feed.compare(seq, head)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _end(feed: Feed) -> None:
    for follower in list(feed.followers):
        follower.end()
