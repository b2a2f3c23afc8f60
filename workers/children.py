"""The child processes of a worker: warm ones, each for one workload, and a fresh one for whatever comes."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from workers.child_handle import Child
from workers.environment import MARK
from workers.guard import Guard
from workers.warden import Warden

log = logging.getLogger(__name__)

IDLE_EVERY: Final = 1.0  # seconds between two looks whether an idle child really is
_MOST_IDLE_CPU: Final = 0.05  # of a processor
_KEPT_SECONDS: Final = 600.0  # an idle child that has served: then its memory is given back


class Children:
    """Starts children, keeps up to `warm` that have served and a spare that has not, and kills them. One loop; `kill_all` from any thread."""

    def __init__(self, *, warm: int, environ: Mapping[str, str]) -> None:
        self._warm = warm
        self._environ = environ
        self._idle: list[Child] = []  # that have served, the one that was idle longest first
        self._spare: Child | None = None  # that has not
        self._starting: asyncio.Task[None] | None = None  # the next spare
        self._alive: set[Child] = set()
        self._changing = threading.Lock()  # what is alive
        self._mark = f"{MARK}={uuid4().hex}."  # and a number for each child
        self._started = 0
        self._groups: set[int] = set()
        self._guard = Guard(self._mark)
        self._warden = Warden()
        self._ending: set[asyncio.Task[None]] = set()

    def open(self, *, spare: bool) -> None:
        """Ready to start children. spare: one is wanted soon."""
        self._guard.open()
        if spare:
            self._start_spare()

    async def close(self) -> None:
        """Kill every child and wait until all are gone."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        self._idle.clear()
        self._spare = None
        await asyncio.gather(*(self._end(child) for child in list(self._alive)), *self._ending)
        self._warden.close()
        self._guard.close()

    async def take(self, target: str) -> Child:
        """A child for this workload: one that has served it, else a fresh one. Raises `OSError` where none can be started."""
        child = self._take_idle(target)
        if child is None and self._starting is not None:
            await asyncio.wait([self._starting])  # it is nearer than one that starts now
            child = self._take_idle(target)
        if child is None:
            child = await self._start()
        if child.target is None:
            self._start_spare()
        return child

    async def give_back(self, child: Child, *, healthy: bool) -> None:
        """Keep it warm where it is healthy; the one that was idle longest makes room. Returns when nothing of the work goes on."""
        if not (healthy and child.usable):
            await asyncio.shield(self._retire(child))
            return
        self._idle.append(child)
        self._look_later(child, time.monotonic())
        if len(self._idle) > self._warm:
            self._retire(self._idle.pop(0))

    def renew(self) -> None:
        """The code of workloads has changed: no child that has loaded any serves again."""
        for child in self._alive:
            child.outdated = child.target is not None
        while self._idle:
            self._retire(self._idle.pop())

    def kill_all(self) -> None:
        """SIGKILL every child that works, now. Any thread; the loop need not turn."""
        with self._changing:
            working = self._alive.difference(self._idle, [self._spare])
        for child in working:
            child.kill()

    def _take_idle(self, target: str) -> Child | None:
        # Never one that has served another workload: it may hold what that one was trusted with.
        for child in [child for child in reversed(self._idle) if child.target == target]:
            self._idle.remove(child)
            # One that has served for long makes way for the spare, and for nobody who would have to be waited for.
            if child.usable and not (child.worn and self._spare is not None):
                return child
            self._retire(child)
        spare, self._spare = self._spare, None
        if spare is not None and not spare.usable:
            self._retire(spare)
            return None
        return spare

    def _start_spare(self) -> None:
        """In the background: what comes next need not wait for a process to start."""
        if self._spare is None and self._starting is None:
            self._starting = asyncio.create_task(self._become_spare())

    async def _become_spare(self) -> None:
        try:
            self._spare = await self._start()
        except (OSError, TimeoutError) as error:  # said to the task that needs one, should it be so then
            log.warning("no spare process could be started: %s", error)
        finally:
            self._starting = None

    def _look_later(self, child: Child, since: float) -> None:
        asyncio.get_running_loop().call_later(IDLE_EVERY, self._look, child, child.served, child.cpu_s, since)

    def _look(self, child: Child, served: int, before: float, since: float) -> None:
        if child not in self._idle or child.served != served:
            return
        # A thread that the work has left behind goes on computing.
        computes = child.cpu_s - before > _MOST_IDLE_CPU * IDLE_EVERY
        if computes or time.monotonic() - since > _KEPT_SECONDS:
            self._idle.remove(child)
            self._retire(child)
        else:
            self._look_later(child, since)

    def _retire(self, child: Child) -> asyncio.Task[None]:
        ending = asyncio.create_task(self._end(child))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return ending

    async def _start(self) -> Child:
        self._started += 1
        child = await Child.start(self._environ, f"{self._mark}{self._started}", self._warden, self._freed)
        with self._changing:
            self._alive.add(child)
        self._groups.add(child.pid)
        self._guard.tell(self._groups)
        return child

    async def _end(self, child: Child) -> None:
        await child.close()
        with self._changing:
            self._alive.discard(child)

    def _freed(self, pid: int) -> None:
        self._groups.discard(pid)
        self._guard.tell(self._groups)
