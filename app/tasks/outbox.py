"""What follows a commit, off the request's path: events to their followers, wake-ups to the queue. All of it may be lost; the log and the polls make good."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Final, Protocol
from uuid import UUID

from app.batch import Batcher
from app.errors import Unavailable
from app.events.model import Frame
from app.queues import TaskQueue
from app.tasks.document import to_frame
from app.tasks.model import Event

log = logging.getLogger(__name__)

PATIENCE: Final = 0.002  # seconds
MOST_HINTS: Final = 500  # hints in one call of the queue


class Publisher(Protocol):
    """Where frames go: the fanout to other processes."""

    async def publish(self, frames: Sequence[Frame]) -> None: ...


class Receiver(Protocol):
    """Who takes frames at once: this process's own hub."""

    def deliver_local(self, frames: Sequence[Frame]) -> None: ...


class Outbox:
    """One a process. `hub` is None in a process without sockets."""

    def __init__(self, publisher: Publisher, queue: TaskQueue, hub: Receiver | None = None) -> None:
        self._publisher = publisher
        self._queue = queue
        self._hub = hub
        self._frames: Batcher[Frame, None] = Batcher(self._publish, most=500)
        self._held: list[Frame] = []
        self._timer: asyncio.TimerHandle | None = None
        self._lanes: dict[str, Batcher[UUID, None]] = {}
        self.broker_down_since: float | None = None  # monotonic seconds; None while wake-ups get through

    def committed(self, events: Iterable[Event], *, patient: bool = False) -> None:
        """Tell the followers of events that were committed a moment ago."""
        self.tell([to_frame(event) for event in events], patient=patient)

    def tell(self, frames: Sequence[Frame], *, patient: bool = False) -> None:
        """Tell followers of frames (progress too).

        Patient ones go to other processes with the next ones that are not, or after `PATIENCE`: a task that was started may end a moment later, and one
        message for both leaves the processor to the work.
        """
        if self._hub is not None:
            self._hub.deliver_local(frames)
        self._held += frames
        if not patient:
            self._send()
        elif self._held and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._send)

    def wake(self, lane: str, task_id: UUID) -> None:
        """Tell the workers of a lane that there is work."""
        if lane not in self._lanes:
            self._lanes[lane] = Batcher(lambda ids: self._wake(lane, ids), most=MOST_HINTS)
        self._lanes[lane].put(task_id)

    async def broker_down_for(self) -> float:
        """For how many seconds the queue has taken no wake-ups: 0 while they get through. A broker that was away is asked again."""
        if self.broker_down_since is not None:
            with contextlib.suppress(Unavailable):
                await self._queue.ping()
                self._broker_is_up()
        return 0.0 if self.broker_down_since is None else time.monotonic() - self.broker_down_since

    async def drained(self) -> None:
        """Until everything that was handed over has left, or was given up."""
        self._send()
        for lane in self._lanes.values():
            await lane.drained()
        await self._frames.drained()

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        for frame in held:
            self._frames.put(frame)

    async def _publish(self, frames: Sequence[Frame]) -> Sequence[None]:
        await self._publisher.publish(frames)
        return [None] * len(frames)

    async def _wake(self, lane: str, ids: Sequence[UUID]) -> Sequence[None]:
        try:
            await self._queue.wake(lane, ids)
        except Unavailable as error:
            if self.broker_down_since is None:
                self.broker_down_since = time.monotonic()
                log.warning("the queue does not take wake-ups; workers look by themselves: %s", error)
        else:
            self._broker_is_up()
        return [None] * len(ids)

    def _broker_is_up(self) -> None:
        if self.broker_down_since is not None:
            self.broker_down_since = None
            log.warning("the queue takes wake-ups again")
