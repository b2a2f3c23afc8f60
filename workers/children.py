"""The child processes of a worker: warm ones, each for one workload."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from workers.child_handle import MOST_TASKS, Child
from workers.environment import MARK
from workers.guard import Guard
from workers.warden import Warden

IDLE_EVERY: Final = 1.0  # seconds between two looks whether an idle child really is
_MOST_IDLE_CPU: Final = 0.05  # of a processor


class Children:
    """Starts children, keeps up to `warm` of them idle, and kills them. One loop; `kill_all` from any thread."""

    def __init__(self, *, warm: int, environ: Mapping[str, str]) -> None:
        self._warm = warm
        self._environ = environ
        self._idle: list[Child] = []
        self._alive: set[Child] = set()
        self._changing = threading.Lock()  # what is alive
        self._mark = f"{MARK}={uuid4().hex}."  # and a number for each child
        self._started = 0
        self._groups: set[int] = set()
        self._guard = Guard(self._mark)
        self._warden = Warden()
        self._ending: set[asyncio.Task[None]] = set()

    async def open(self, *, warm: bool) -> None:
        """Start the warm ones, where they are wanted at once."""
        self._guard.open()
        if warm:
            self._idle = list(await asyncio.gather(*(self._start() for _ in range(self._warm))))

    async def close(self) -> None:
        """Kill every child and wait until all are gone."""
        self._idle.clear()
        await asyncio.gather(*(self._end(child) for child in list(self._alive)), *self._ending)
        self._warden.close()
        self._guard.close()

    async def take(self, target: str) -> Child:
        """A child for this workload: one that has served it, else a fresh one. Raises `OSError` where none can be started."""
        # Never one that has served another workload: it may hold what that one was trusted with.
        for wanted in (target, None):
            for child in self._idle:
                if child.target == wanted and child.usable:
                    self._idle.remove(child)
                    return child
        return await self._start()

    async def give_back(self, child: Child, *, healthy: bool) -> None:
        """Keep it warm where it is healthy; the one that was idle longest makes room. Returns when nothing of the work goes on."""
        if not (healthy and child.usable):
            await asyncio.shield(self._retire(child))
            return
        self._idle.append(child)
        self._look_later(child)
        if len(self._idle) > self._warm:
            self._retire(self._idle.pop(0))

    def renew(self) -> None:
        """The code of workloads has changed: no child that has loaded any serves again."""
        for child in self._alive:
            child.served = MOST_TASKS if child.target is not None else child.served
        for child in [child for child in self._idle if child.target is not None]:
            self._idle.remove(child)
            self._retire(child)

    def kill_all(self) -> None:
        """SIGKILL every child that works, now. Any thread; the loop need not turn."""
        with self._changing:
            working = self._alive.difference(self._idle)
        for child in working:
            child.kill()

    def _look_later(self, child: Child) -> None:
        asyncio.get_running_loop().call_later(IDLE_EVERY, self._look, child, child.served, child.cpu_s)

    def _look(self, child: Child, served: int, before: float) -> None:
        if child not in self._idle or child.served != served:
            return
        if (
            child.cpu_s - before > _MOST_IDLE_CPU * IDLE_EVERY
        ):  # a thread that the work has left behind goes on computing
            self._idle.remove(child)
            self._retire(child)
        else:
            self._look_later(child)

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
