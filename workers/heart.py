"""The heartbeat: a thread with its own loop and its own connection, so that neither a task nor a busy loop can stop it.

It extends the leases of what runs, hears of cancels and of claims that were lost, and says that this worker is alive. When the database gives no good
answer for `FENCE` seconds it kills all work: the lease may end, and another worker may start the same task.
"""

import asyncio
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

EVERY: Final = 10.0  # seconds
FENCE: Final = LEASE - 10.0  # seconds without a good answer, counted from the sending of the last good one
AGAIN: Final = 1.0  # seconds after a beat that failed


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


class Heart:
    """Beats from `start` to `stop`."""

    def __init__(
        self, worker: Worker, contact: Callable[[], AbstractAsyncContextManager[Contact]], listener: Listener
    ) -> None:
        self._worker = worker
        self._contact = contact
        self._listener = listener
        self._tokens: dict[UUID, UUID] = {}
        self._loop = asyncio.new_event_loop()
        self._caller = asyncio.get_running_loop()
        self._soon = asyncio.Event()
        self._stopping = False
        self._good = time.monotonic()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), name="heart", daemon=True
        )

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
        """Keep this claim alive."""
        self._tokens[task_id] = token

    def release(self, task_id: UUID) -> None:
        """Leave this claim alone from now on."""
        self._tokens.pop(task_id, None)

    def beat_soon(self) -> None:
        """Beat now: there may be news, such as a cancel."""
        self._loop.call_soon_threadsafe(self._soon.set)

    async def _run(self) -> None:
        watch = asyncio.create_task(self._watch())
        try:
            async with self._contact() as contact:
                while not self._stopping:
                    self._soon.clear()
                    wait = EVERY if await self._beat(contact) else AGAIN
                    try:
                        async with asyncio.timeout(wait):
                            await self._soon.wait()
                    except TimeoutError:
                        pass
        finally:
            watch.cancel()

    async def _beat(self, contact: Contact) -> bool:
        sent, held = time.monotonic(), dict(self._tokens)
        try:
            # The answer of a beat that hangs would come too late to count.
            async with asyncio.timeout(EVERY):
                answer = await contact.moves.heartbeat(held) if held else {}
                await contact.catalogue.beat(replace(self._worker, last_seen_at=datetime.now(UTC)))
        except (Unavailable, TimeoutError) as error:
            log.warning("heartbeat failed: %s", error)
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
            await asyncio.sleep(1)
            if self._tokens and time.monotonic() - self._good > FENCE:
                log.error(
                    "no good answer from the database for %d s: killing %d tasks before their leases end",
                    FENCE,
                    len(self._tokens),
                )
                self._tokens.clear()
                self._listener.fence()
