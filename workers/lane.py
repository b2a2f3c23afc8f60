"""A lane of a worker: its slots, the bell that says there may be work, and the workloads it can run."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from app.errors import Unavailable


class Lane:
    """Implements `app.queues.Slots`. A slot is taken before a task is claimed, so that a claimed task never waits here."""

    def __init__(self, name: str, slots: int, able: Mapping[str, int], *, partial: bool = False) -> None:
        self.name = name
        self.slots = slots
        self.able = able  # workload: the newest version that this worker knows; without what is paused
        self.paused: frozenset[str] = frozenset()  # workloads, by every name that they have or had
        self._known = able
        self._partial = partial  # other workers take what this one does not
        self._busy = 0
        self._is_free = asyncio.Event()
        self._is_full = asyncio.Event()
        self._goes_on = asyncio.Event()  # a slot is free, or the lane is closed
        self._bell = asyncio.Event()
        self._closed = False
        self._waiting: list[asyncio.Future[None]] = []
        self._connected = False
        self._hints_taken = True
        self._count(0)

    @property
    def free(self) -> int:
        """Slots that nothing runs in."""
        return self.slots - self._busy

    @property
    def deaf(self) -> bool:
        """Whether hints may not get here: there is no connection to the broker, it takes none, or they reach workers of other groups as well."""
        return self._partial or not (self._connected and self._hints_taken)

    @property
    def hints_taken(self) -> bool:
        """Whether the broker takes hints for this lane, as far as is known."""
        return self._hints_taken

    async def wait_free(self) -> None:
        """Until a slot is free."""
        await self._is_free.wait()

    async def wait_full(self) -> None:
        """Until none is."""
        await self._is_full.wait()

    def connected(self, yes: bool) -> None:
        """The queue says whether hints reach this worker. What came in between may be lost: look for it."""
        if yes != self._connected:
            self._connected = yes
            self.ring()

    def taken(self, yes: bool) -> None:
        """The sweeper says whether the broker takes hints."""
        if yes != self._hints_taken:
            self._hints_taken = yes
            self.ring()

    def learn(self, able: Mapping[str, int]) -> None:
        """Run these workloads from now on."""
        self._known = able
        self._choose()
        self.ring()

    def pause(self, names: frozenset[str]) -> None:
        """Claim none of these from now on. What was resumed may have waited: look for it."""
        resumed = self.paused - names
        self.paused = names
        self._choose()
        if resumed:
            self.ring()

    def take(self, slots: int) -> None:
        """Use slots."""
        self._count(slots)

    def give_back(self) -> None:
        """Free one."""
        self._count(-1)

    def ring(self) -> None:
        """There may be work."""
        self._bell.set()

    async def wake(self, hints: int) -> None:  # noqa: ARG002  the protocol's count: one claim takes whatever is there
        """There is work; returns once a claim has committed that began after this call."""
        if self._closed:
            raise Unavailable("This worker stops.")
        claimed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(claimed)
        self._bell.set()
        await claimed

    def close(self) -> None:
        """Claim no more here: whoever waits for a claim hears `Unavailable`, and the hint goes to another worker."""
        self._closed = True
        self.answer(self._waiting, Unavailable("This worker stops."))
        self._waiting = []
        self._bell.set()
        self._goes_on.set()

    async def rung(self, within: float) -> list[asyncio.Future[None]] | None:
        """Until the bell rings, or `within` seconds have passed, and a slot is free: who waits to hear of a claim. None once the lane is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._bell.wait()
        await self._goes_on.wait()
        if self._closed:
            return None
        self._bell.clear()
        waiting, self._waiting = self._waiting, []
        return waiting

    @staticmethod
    def answer(waiting: Sequence[asyncio.Future[None]], error: Unavailable | None = None) -> None:
        """Tell who waits that the claim has committed, or why not: then the hint comes again."""
        for claimed in waiting:
            if not claimed.done():
                if error is None:
                    claimed.set_result(None)
                else:
                    claimed.set_exception(error)

    def _choose(self) -> None:
        self.able = {name: version for name, version in self._known.items() if name not in self.paused}

    def _count(self, change: int) -> None:
        self._busy += change
        for event, true in (
            (self._is_free, self.free > 0),
            (self._is_full, self.free == 0),
            (self._goes_on, self.free > 0 or self._closed),
        ):
            (event.set if true else event.clear)()
