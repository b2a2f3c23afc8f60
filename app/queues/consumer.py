"""Consumer: what every backend's `consume` has in common, from message to worker and from outage back to work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from app.backoff import Backoff
from app.queues.base import Slots, Wake

SETTLE: Final = 5.0  # seconds that running calls of wake get to end when consuming stops
HOLD: Final = 0.1  # seconds without a slot before messages go back to the broker, for another worker
AT_ONCE: Final = 8  # messages that a consumer holds at once

log = logging.getLogger(__name__)


class Full(Exception):
    """No slot came free; the message is for another worker."""


class WakeFailed(Exception):
    """The worker could not look for work."""


class Consumer:
    """Hands one lane's messages to a worker, in tasks of its own so that a lost connection cancels no claim."""

    def __init__(self, lane: str, wake: Wake, slots: Slots) -> None:
        self.lane = lane
        self.slots = slots
        self.stopping = asyncio.Event()
        self._wake = wake
        self._deliveries: set[asyncio.Task[None]] = set()
        self._wakes: set[asyncio.Timeout] = set()
        self._lost = False

    async def run(self, session: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `session` again and again, until cancelled.

        It consumes over one connection, raises when that or a wake fails, and returns soon after `stopping` is set. It
        is told instead of cancelled, because aio-pika and redis-py swallow a cancellation that meets an answer.
        """
        sessions = asyncio.create_task(self._sessions(session))
        try:
            await asyncio.wait({sessions})
        finally:
            self.stopping.set()
            await asyncio.wait({sessions})
            await self.settle()
        sessions.result()

    def consuming(self) -> None:
        """A session says that messages flow."""
        if self._lost:
            self._lost = False
            log.warning("lane %s: the broker is back", self.lane)
        self.slots.connected(True)

    async def hand_over(self, hints: int) -> None:
        """Wake the worker; the message may be acknowledged then. Raises `Full` or `WakeFailed` where it has to go back."""
        if self.slots.free <= 0:
            try:
                async with asyncio.timeout(HOLD):
                    await self.slots.wait_free()
            except TimeoutError:
                raise Full from None
        waking = asyncio.timeout(None)
        try:
            async with waking:
                self._wakes.add(waking)
                await self._wake(hints)
        except Exception as error:
            if waking.expired():
                raise Full from None
            raise WakeFailed(f"the worker could not look for work: {error}") from error
        finally:
            self._wakes.discard(waking)

    async def stay_full(self) -> None:
        """Return once no slot was free for `HOLD`: a worker whose slots come and go need not leave the broker.

        What waits for a slot then is for another worker, too: nobody knows for how long the tasks here run.
        """
        while True:
            await self.slots.wait_full()
            try:
                async with asyncio.timeout(HOLD):
                    await self.slots.wait_free()
            except TimeoutError:
                for waking in self._wakes:
                    if waking.when() is None:
                        waking.reschedule(asyncio.get_running_loop().time())
                return

    def start(self, delivery: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `delivery` in a task of its own, which `settle` waits for."""
        task = asyncio.create_task(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)
        return task

    async def settle(self) -> None:
        """Let running deliveries end; those that take longer than `SETTLE` are cancelled."""
        if self._deliveries:
            _, late = await asyncio.wait(self._deliveries, timeout=SETTLE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _sessions(self, session: Callable[[], Coroutine[Any, Any, None]]) -> None:
        backoff = Backoff()
        while not self.stopping.is_set():
            error = await ending(session())
            if not self.stopping.is_set():
                self.slots.connected(False)
                self._tell(error)
                await first(backoff.wait(), self.stopping.wait())

    def _tell(self, error: BaseException | None) -> None:
        if isinstance(error, WakeFailed):
            log.warning("lane %s: %s", self.lane, ascii(str(error)))
        elif not self._lost:
            self._lost = True
            log.warning(
                "lane %s: lost the broker, the worker looks for work by itself: %s", self.lane, ascii(str(error))
            )


async def first(*awaitables: Awaitable[object]) -> None:
    """Return or raise as the first of `awaitables` does; the others are cancelled."""
    futures: set[asyncio.Future[object]] = {asyncio.ensure_future(one) for one in awaitables}
    done: set[asyncio.Future[object]] = set()
    try:
        done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        others = futures - done
        while others:
            for future in others:
                future.cancel()
            # Again, until they end: redis-py swallows a cancellation now and then.
            ended, others = await asyncio.wait(others, timeout=0.05)
            for future in ended:
                _ = future.cancelled() or future.exception()  # looked at, so that asyncio does not complain
    for future in done:
        future.result()


async def ending(session: Coroutine[Any, Any, None]) -> BaseException | None:
    """What `session` ends with.

    It runs in a task of its own: aio-pika raises CancelledError for a lost connection where nobody was cancelled.
    """
    task = asyncio.create_task(session)
    await asyncio.wait({task})
    return asyncio.CancelledError("the connection was lost") if task.cancelled() else task.exception()
