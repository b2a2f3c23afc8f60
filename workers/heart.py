"""The heartbeat: a thread with its own loop and its own connection, so that neither a task nor a busy loop can stop it.

It extends the leases of what runs, hears of cancels and of claims that were lost, and says that this worker is alive. When the database gives no good
answer for as long as `Rhythm.fence` says it kills all work: the lease may end, and another worker may start the same task.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from app.catalogue import Catalogue, Worker
from app.errors import Unavailable
from app.tasks.model import LEASE
from app.tasks.moves import Moves

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contact:
    """What a heart needs of the database, on connections of its own loop."""

    moves: Moves
    catalogue: Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whom a heart tells. `fence` is called in the heart's thread, at once; the others in the worker's loop."""

    cancel: Callable[[UUID], None]  # the owner asked to cancel this task
    lost: Callable[[UUID, UUID], None]  # this claim (task, token) holds no longer
    fence: Callable[[], None]  # claims may end: kill all work now


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds. `fence`: without a good answer, counted from the sending of the last good one."""

    every: float = 10.0
    again: float = 1.0  # after a beat that failed
    fence: float = LEASE - 10.0


USUAL: Final = Rhythm()


class Heart:
    """Beats from `start` to `stop`."""

    def __init__(
        self,
        worker: Worker,
        contact: Callable[[], AbstractAsyncContextManager[Contact]],
        listener: Listener,
        rhythm: Rhythm = USUAL,
    ) -> None:
        self._worker = worker
        self._contact = contact
        self._listener = listener
        self._rhythm = rhythm
        self._held: dict[UUID, tuple[UUID, float]] = {}  # task: token, and since when
        self._good = float("-inf")  # when the last beat was sent that got a good answer
        self._stopping = False
        self._soon = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._caller = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._beat_for_ever, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat, at once."""
        self._thread.start()

    async def stop(self) -> None:
        """Beat no more; returns when the thread has ended."""
        self._stopping = True
        self.beat_soon()
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    def hold(self, task_id: UUID, token: UUID) -> None:
        """Keep this claim, which was made a moment ago, alive."""
        self._held[task_id] = token, time.monotonic()

    def release(self, task_id: UUID) -> None:
        """Leave this claim alone from now on."""
        self._held.pop(task_id, None)

    def beat_soon(self) -> None:
        """Beat now: there may be news, such as a cancel."""
        self._loop.call_soon_threadsafe(self._soon.set)

    def _beat_for_ever(self) -> None:
        self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        watch = asyncio.create_task(self._watch())
        while not self._stopping:
            try:
                async with self._contact() as contact:
                    await self._beats(contact)
            except Unavailable as error:
                log.warning("no contact with the database: %s", error)
                await self._pause(self._rhythm.again)
        watch.cancel()

    async def _beats(self, contact: Contact) -> None:
        while not self._stopping:
            good = await self._beat(contact)
            await self._pause(self._rhythm.every if good else self._rhythm.again)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        self._soon.clear()

    async def _beat(self, contact: Contact) -> bool:
        sent = time.monotonic()
        held = {task_id: token for task_id, (token, _) in list(self._held.items())}
        try:
            # The answer of a beat that hangs would come too late to count.
            async with asyncio.timeout(self._rhythm.every):
                answer = await contact.moves.heartbeat(held) if held else {}
                await contact.catalogue.beat(replace(self._worker, last_seen_at=datetime.now(UTC)))
        except (Unavailable, TimeoutError) as error:
            log.warning("heartbeat failed: %s", error or "no answer in time")
            return False
        self._good = sent
        for task_id, token in held.items():
            if task_id not in answer:
                self._caller.call_soon_threadsafe(self._listener.lost, task_id, token)
            elif answer[task_id]:
                self._caller.call_soon_threadsafe(self._listener.cancel, task_id)
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._rhythm.again)
            held_since = min((since for _, since in list(self._held.values())), default=float("inf"))
            if max(self._good, held_since) + self._rhythm.fence < time.monotonic():
                log.error(
                    "no good answer from the database for %g s: killing %d tasks before their leases end",
                    self._rhythm.fence,
                    len(self._held),
                )
                self._held.clear()
                self._listener.fence()
