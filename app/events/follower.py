"""A follower: one socket's way through its user's events."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

from app.backoff import pauses
from app.errors import Unavailable
from app.events.feed import Feed
from app.events.model import Frame, Log, OutOfRange, Position, Snapshot

PAGE: Final = 200  # events in one read of the log
PAGE_CHARACTERS: Final = 256 * 1024  # that are kept of one: what a socket that reads slowly costs at most
MOST_PROGRESS: Final = 100  # tasks whose newest progress waits for a slow socket
RESET_EVERY: Final = 1.0  # seconds at least

Answer = TypeVar("Answer")


class Follower:
    """Yields a `Position` (where the log stands), then every `Frame` after `after`, in order, each once; and the newest progress while nothing else waits.

    A `Snapshot` comes where what follows cannot be replayed: its tasks are the new start. Without `after` it starts at now. It ends when `end` is called or
    the hub closes. A database that is away only delays it. Waiting for an item may be cancelled and begun again.
    """

    __slots__ = (
        "_adopt",
        "_epoch",
        "_feed",
        "_log",
        "_lost",
        "_page",
        "_pauses",
        "_progress",
        "_reset_at",
        "_waiter",
        "_welcomed",
        "cursor",
        "ended",
    )

    def __init__(
        self, feed: Feed, events: Log, adopt: Callable[[str], None], after: int | None, epoch: str | None
    ) -> None:
        self.cursor = after  # what was yielded last, or the client's own position
        self.ended = False
        self._feed = feed
        self._log = events
        self._adopt = adopt  # tells the hub of another epoch
        self._epoch = epoch if after is not None else None
        self._welcomed = False
        self._lost = False  # the cursor is of no use any more
        self._page: deque[Frame] | None = None
        self._progress: dict[str, Frame] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pauses: Iterator[float] | None = None
        self._reset_at = float("-inf")

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Position | Snapshot | Frame:
        while not self.ended:
            if (item := await self._step()) is not None:
                return item
        raise StopAsyncIteration

    def end(self) -> None:
        """Yield nothing more."""
        self.ended = True
        self._page = self._progress = None
        self.wake()

    def wake(self) -> None:
        """Something has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def offer_progress(self, frame: Frame) -> None:
        """The newest of a task takes the place of one that was not sent yet."""
        if self._progress is None:
            self._progress = {}
        elif len(self._progress) >= MOST_PROGRESS and frame.task_id not in self._progress:
            return
        self._progress[frame.task_id] = frame
        self.wake()

    def forget_progress(self, task_id: str) -> None:
        """The task has ended."""
        if self._progress:
            self._progress.pop(task_id, None)

    async def _step(self) -> Position | Snapshot | Frame | None:
        feed = self._feed
        if feed.head is None:
            await self._news()
            return None
        if not self._welcomed:
            return self._welcome(feed.head)
        if self._lost or self._epoch != feed.epoch:
            return await self._reset()
        cursor = feed.head if self.cursor is None else self.cursor
        if frame := self._page.popleft() if self._page else feed.at(cursor + 1):
            self.cursor = frame.seq
            return frame
        if cursor != feed.head:
            await self._read(cursor)
        elif self._progress:
            return self._progress.pop(next(iter(self._progress)))
        else:
            self._page = self._progress = None
            await self._news()
        return None

    def _welcome(self, head: int) -> Position:
        self._welcomed = True
        self._lost = self._epoch not in (None, self._feed.epoch)
        self._epoch = self._feed.epoch
        if self.cursor is None:
            self.cursor = head
        return Position(self._feed.epoch, head)

    async def _read(self, cursor: int) -> None:
        """Go on by a page of the log: memory does not reach back to the cursor, or the feed is behind it."""
        feed, epoch = self._feed, self._epoch or ""
        try:
            page = await self._try(lambda: self._log.since(feed.user_id, cursor, PAGE, epoch))
        except OutOfRange:
            self._lost = True
            return
        if page is None or feed.epoch != epoch:
            return
        if page:
            self._page = deque(_within(page, PAGE_CHARACTERS))
            for frame in self._page:
                feed.note_end(frame)
        elif cursor != feed.head:
            feed.read()
            await self._news()

    async def _reset(self) -> Snapshot | None:
        self._lost = True
        now = asyncio.get_running_loop().time()
        if now < self._reset_at + RESET_EVERY:
            await self._news(self._reset_at + RESET_EVERY - now)
            return None
        snapshot = await self._try(lambda: self._log.snapshot(self._feed.user_id))
        if snapshot is None:
            return None
        if snapshot.epoch != self._feed.epoch:
            self._adopt(snapshot.epoch)
        self._lost, self._epoch, self.cursor, self._reset_at = False, snapshot.epoch, snapshot.seq, now
        self._page = self._progress = None
        return snapshot

    async def _try(self, read: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer of `read`; None, after a pause, where the database is away."""
        try:
            answer = await read()
        except Unavailable:
            self._pauses = self._pauses or pauses()
            await self._news(next(self._pauses))
            return None
        self._pauses = None
        return answer

    async def _news(self, within: float | None = None) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            if within is None:
                await self._waiter
            else:
                await asyncio.wait([self._waiter], timeout=within)
        finally:
            self._waiter = None


def _within(page: Sequence[Frame], characters: int) -> Iterator[Frame]:
    """The first frames of a page, as many as fit, one at least."""
    for at, frame in enumerate(page):
        characters -= len(frame.text)
        if characters < 0 and at:
            return
        yield frame
