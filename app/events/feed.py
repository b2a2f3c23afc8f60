"""The feed of one followed user in this process: arrivals put in order once, for all of the user's sockets."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from app.backoff import until_available
from app.events.fanout import Fanout
from app.events.model import Frame, Gap, Log, OutOfRange

if TYPE_CHECKING:
    from app.events.follower import Follower

log = logging.getLogger(__name__)

PAGE: Final = 500  # events in one read of the log
TAIL_FRAMES: Final = 512  # newest frames kept in memory
TAIL_CHARACTERS: Final = 1 << 20
MOST_EARLY: Final = 1024  # frames kept that came before what precedes them
ENDED: Final = 256  # newest ended tasks remembered, to drop progress that comes late


class Feed:
    """`head` is the newest sequence number up to which everything has arrived; None until the hub has read where the log stands.

    An arrival out of order waits `grace` seconds for what is missing. `doubt` asks the hub to compare the feed with the log soon; `broken` tells it that
    the feed has failed.
    """

    def __init__(
        self,
        user_id: int,
        events: Log,
        fanout: Fanout,
        *,
        grace: float,
        doubt: "Callable[[Feed], None]",
        broken: "Callable[[Feed], None]",
    ) -> None:
        self.user_id = user_id
        self.head: int | None = None
        self.epoch = ""
        self.followers: set[Follower] = set()
        self._log = events
        self._fanout = fanout
        self._grace = grace
        self._doubt = doubt
        self._broken = broken
        self._tail: deque[Frame] = deque()  # its last one is number `head`
        self._tail_characters = 0
        self._early: dict[int, Frame] = {}
        self._announced = 0  # the log is known to stand here at least
        self._ended: dict[str, None] = {}  # the newest last
        self._grace_timer: asyncio.TimerHandle | None = None
        self._stale = False
        self._reading: asyncio.Task[None] | None = None
        self._hearing = self._task(self._hear())

    async def close(self) -> None:
        """Follow no more."""
        tasks = [task for task in (self._hearing, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        self._stop_waiting()
        await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, epoch: str, head: int) -> None:
        """The log of `epoch` stands at `head`: what is before, followers read there; what comes after arrives here."""
        self.epoch, self.head = epoch, head
        self._drop_memory()
        for seq in [seq for seq in self._early if seq <= head]:
            self.note_end(self._early.pop(seq))
        self._settle()
        self._wake()

    def forget(self) -> None:
        """The history is another one, or not the whole of it is left; the hub has to start the feed again."""
        self.head = None
        self._drop_memory()
        self._early.clear()
        self._wake()

    def compare(self, seq: int, head_when_asked: int | None) -> None:
        """The log stands at `seq`, as read after the feed stood at `head_when_asked`."""
        if self.head is None or head_when_asked is None:
            return
        if seq < head_when_asked:
            log.warning("the log of user %d went back from %d to %d", self.user_id, head_when_asked, seq)
            self.forget()
            self.start(self.epoch, seq)
        elif seq > self.head:
            self._announced = seq
            self._settle()

    def arrive(self, frames: Sequence[Frame]) -> None:
        """Take frames from the broker, the log or this process, in any order, any number of times."""
        before = self.head
        for frame in frames:
            if frame.seq is None:
                self._progress(frame)
            elif self.head is not None and frame.seq == self.head + 1:
                self._append(frame)
            elif (self.head is None or frame.seq > self.head) and len(self._early) < MOST_EARLY:
                self._early[frame.seq] = frame
        self._settle()
        if self.head != before:
            self._wake()

    def at(self, seq: int) -> Frame | None:
        """The frame with this number, where memory has it."""
        if self.head is None or not self.head - len(self._tail) < seq <= self.head:
            return None
        return self._tail[seq - self.head - 1]

    def note_end(self, frame: Frame) -> None:
        """Where the frame ends its task, pass on no more progress of it."""
        if frame.final:
            self._ended.pop(frame.task_id, None)
            self._ended[frame.task_id] = None
            if len(self._ended) > ENDED:
                del self._ended[next(iter(self._ended))]
            for follower in self.followers:
                follower.forget_progress(frame.task_id)

    def read(self) -> None:
        """The log has more than has arrived: read it."""
        self._stale = True
        if self._reading is None:
            self._reading = self._task(self._read())

    async def _hear(self) -> None:
        async with self._fanout.subscribe(self.user_id) as arrivals:
            # Only now may the position be read: what is committed from here on arrives, or a gap is told.
            self._doubt(self)
            async for item in arrivals:
                if isinstance(item, Gap):
                    self._doubt(self)
                else:
                    self.arrive(item)

    async def _read(self) -> None:
        while self._stale and self.head is not None:
            self._stale = False
            epoch, head = self.epoch, self.head
            try:
                frames = await until_available(lambda: self._log.since(self.user_id, head, PAGE, epoch))  # noqa: B023  awaited here
            except OutOfRange:
                self.forget()
                self._doubt(self)
            else:
                if self.epoch == epoch:
                    self.arrive(frames)
                    self._stale |= len(frames) == PAGE
        self._reading = None

    def _settle(self) -> None:
        """Append what has its turn; where something is missing, wait for it a little: disorder between processes is normal."""
        if self.head is None:
            return
        while self._early and (frame := self._early.pop(self.head + 1, None)):
            self._append(frame)
        missing = bool(self._early) or self._announced > self.head
        if missing and self._grace_timer is None:
            self._grace_timer = asyncio.get_running_loop().call_later(self._grace, self._waited)
        elif not missing:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None

    def _waited(self) -> None:
        self._grace_timer = None
        if self.head is not None:
            self._early = {seq: frame for seq, frame in self._early.items() if seq > self.head}
            self.read()

    def _append(self, frame: Frame) -> None:
        self.head = frame.seq
        self._tail.append(frame)
        self._tail_characters += len(frame.text)
        while len(self._tail) > TAIL_FRAMES or self._tail_characters > TAIL_CHARACTERS:
            self._tail_characters -= len(self._tail.popleft().text)
        self.note_end(frame)

    def _progress(self, frame: Frame) -> None:
        if frame.task_id not in self._ended:
            for follower in self.followers:
                follower.offer_progress(frame)

    def _wake(self) -> None:
        for follower in self.followers:
            follower.wake()

    def _drop_memory(self) -> None:
        self._tail.clear()
        self._tail_characters = 0
        self._announced = 0

    def _task(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("the feed of user %d broke", self.user_id, exc_info=error)
            self._broken(self)
