"""The feed of one followed user in this process: arrivals put in order once, for all of the user's sockets."""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

from app.errors import Unavailable
from app.events.fanout import Fanout
from app.events.model import Frame, Gap, Log, OutOfRange, Position

log = logging.getLogger(__name__)

PAGE: Final = 500  # events in one read of the log
TAIL_FRAMES: Final = 512  # newest frames kept in memory
TAIL_CHARACTERS: Final = 1 << 20
ENDED: Final = 256  # newest ended tasks remembered, to drop progress that comes late
RETRY_FIRST: Final = 0.2  # seconds between tries to read, doubled up to RETRY_MOST
RETRY_MOST: Final = 5.0


class Feed:
    """`head` is the newest sequence number up to which everything has arrived. An arrival out of order waits `grace` seconds for what is missing."""

    def __init__(self, user_id: int, events: Log, fanout: Fanout, *, grace: float) -> None:
        self.user_id = user_id
        self.epoch = ""
        self.head = 0
        self.generation = 0  # grows with each reset: every follower starts anew
        self.listeners: set[Listener] = set()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = events
        self._fanout = fanout
        self._grace = grace
        self._tail: deque[Frame] = deque()
        self._tail_characters = 0
        self._early: dict[int, Frame] = {}  # arrived before what comes before them
        self._ended: deque[str] = deque(maxlen=ENDED)
        self._gap_timer: asyncio.TimerHandle | None = None
        self._behind = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended_by_itself)

    async def close(self) -> None:
        """Follow no more."""
        self._task.cancel()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def arrive(self, frames: Sequence[Frame]) -> None:
        """Take frames from the broker or from this process, in any order, any number of times."""
        before = self.head
        for frame in frames:
            if frame.seq is None:
                self._progress(frame)
            elif not self.ready.done() or frame.seq > self.head + 1:
                self._early[frame.seq] = frame
            elif frame.seq == self.head + 1:
                self._append(frame)
        self._append_early()
        if self.head != before:
            self._wake()
        if self._early and self.ready.done() and self._gap_timer is None:
            # Disorder between processes is normal: the missing one is mostly a moment away.
            self._gap_timer = asyncio.get_running_loop().call_later(self._grace, self._waited)

    def since(self, cursor: int) -> list[Frame] | None:
        """The frames after `cursor`, of those in memory; None where memory does not reach back so far."""
        if cursor >= self.head:
            return []
        first = self._tail[0].seq if self._tail else None
        if first is None or cursor < first - 1:
            return None
        return list(itertools.islice(self._tail, cursor - first + 1, None))

    def fall_behind(self) -> None:
        """There is more in the log than has arrived: read it."""
        self._behind.set()

    def reset(self, epoch: str, seq: int) -> None:
        """The history is another one now."""
        self.epoch, self.head = epoch, seq
        self.generation += 1
        self._tail.clear()
        self._tail_characters = 0
        self._early.clear()
        self._wake()

    def _ended_by_itself(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("the feed of user %d broke", self.user_id, exc_info=error)

    async def _run(self) -> None:
        # Subscribe first, then read: what is committed in between arrives.
        async with self._fanout.subscribe(self.user_id) as arrivals:
            position = await self._position()
            self.epoch, self.head = position.epoch, position.seq
            self.ready.set_result(None)
            self._early = {seq: frame for seq, frame in self._early.items() if seq > self.head}
            self._append_early()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._catch_up())
                async for item in arrivals:
                    if isinstance(item, Gap):
                        self.fall_behind()
                    else:
                        self.arrive(item)

    async def _position(self) -> Position:
        wait = RETRY_FIRST
        while True:
            try:
                return await self._log.position(self.user_id)
            except Unavailable:
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST)

    async def _catch_up(self) -> None:
        wait = RETRY_FIRST
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                while frames := await self._log.since(self.user_id, self.head, PAGE):
                    self.arrive(frames)
                    if len(frames) < PAGE:
                        break
                wait = RETRY_FIRST
            except Unavailable:
                self._behind.set()
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST)
            except OutOfRange:
                position = await self._position()
                log.warning("the log of user %d went from %d to %d: its followers start anew", self.user_id, self.head, position.seq)
                self.reset(position.epoch, position.seq)

    def _waited(self) -> None:
        self._gap_timer = None
        if self._early:
            self._early = {seq: frame for seq, frame in self._early.items() if seq > self.head}
            self.fall_behind()

    def _append_early(self) -> None:
        while self._early and self.ready.done() and (frame := self._early.pop(self.head + 1, None)):
            self._append(frame)

    def _append(self, frame: Frame) -> None:
        self.head += 1
        self._tail.append(frame)
        self._tail_characters += len(frame.text)
        while len(self._tail) > TAIL_FRAMES or self._tail_characters > TAIL_CHARACTERS:
            self._tail_characters -= len(self._tail.popleft().text)
        if frame.final:
            self._ended.append(frame.task_id)
            for listener in self.listeners:
                listener.progress.pop(frame.task_id, None)

    def _progress(self, frame: Frame) -> None:
        if frame.task_id not in self._ended:
            for listener in self.listeners:
                # The newest takes the place of one that was not sent yet.
                listener.progress[frame.task_id] = frame
                listener.news.set()

    def _wake(self) -> None:
        for listener in self.listeners:
            listener.news.set()


class Listener:
    """What a feed keeps for one follower."""

    __slots__ = ("news", "progress")

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.progress: dict[str, Frame] = {}
