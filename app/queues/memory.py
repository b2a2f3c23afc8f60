"""memory://: wake-ups inside one process. They are gone when it ends; the database still knows every task."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from uuid import UUID

from app.errors import Unavailable
from app.queues.base import Slots, Wake
from app.queues.consumer import AT_ONCE, Consumer, Full, WakeFailed, first
from app.queues.message import MOST_HINTS, MOST_WAITING


class MemoryQueue:
    """Lanes of hint counts. Web and worker have to share one object."""

    def __init__(self, *, most_waiting: int = MOST_WAITING) -> None:
        self._lanes: defaultdict[str, _Lane] = defaultdict(lambda: _Lane(most_waiting))
        self._open = False

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def wake(self, lane: str, tasks: Sequence[UUID]) -> None:
        await self.ping()
        for start in range(0, len(tasks), MOST_HINTS):
            self._lanes[lane].put(len(tasks[start : start + MOST_HINTS]))

    async def consume(self, lane: str, wake: Wake, slots: Slots) -> None:
        consumer = Consumer(lane, wake, slots)
        await consumer.run(lambda: _session(consumer, self._lanes[lane]))

    async def depth(self, lane: str) -> int:
        await self.ping()
        return self._lanes[lane].depth

    async def ping(self) -> None:
        if not self._open:
            raise Unavailable("The queue is closed.")


class _Lane:
    def __init__(self, most: int) -> None:
        self._waiting: deque[int] = deque(maxlen=most)
        self._some = asyncio.Event()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def put(self, hints: int) -> None:
        self._waiting.append(hints)
        self._some.set()

    def put_back(self, hints: int) -> None:
        self._waiting.appendleft(hints)
        self._some.set()

    async def get(self) -> int:
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        return self._waiting.popleft()


async def _session(consumer: Consumer, lane: _Lane) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def deliver(hints: int) -> None:
        taken = False
        try:
            await consumer.hand_over(hints)
            taken = True
        except Full:
            pass
        except WakeFailed as error:
            if not failure.done():
                failure.set_exception(error)
        finally:
            if not taken:
                lane.put_back(hints)
            places.release()

    async def pull() -> None:
        while True:
            await consumer.slots.wait_free()
            await places.acquire()
            consumer.start(deliver(await lane.get()))

    async def put_back_when_full() -> None:
        while True:
            await consumer.stay_full()
            await consumer.slots.wait_free()

    consumer.consuming()
    await first(pull(), put_back_when_full(), failure, consumer.stopping.wait())
