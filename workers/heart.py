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
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from app.catalogue import Catalogue, Worker
from app.errors import Unavailable
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Seconds. `fence`: without a good answer, counted from the sending of the last good one."""

    every: float
    again: float  # after a beat that failed
    fence: float

    @classmethod
    def of(cls, *, lease: float, every: float) -> Self:
        """The rhythm for leases of so many seconds: what is left of one after the fence is the time to kill all work in."""
        return cls(every=every, again=min(1.0, every / 2), fence=0.7 * lease)


@dataclass(slots=True)
class _Held:
    """A claim. The heart changes it in place: the worker's loop may let it go at any moment."""

    token: UUID
    since: float  # monotonic; its lease surely counts from then
    fenced: bool = False  # its work was killed


class Heart:
    """Beats from `start` to `stop`."""

    def __init__(
        self,
        worker: Worker,
        contact: Callable[[], AbstractAsyncContextManager[Contact]],
        listener: Listener,
        rhythm: Rhythm,
    ) -> None:
        self._worker = worker
        self._contact = contact
        self._listener = listener
        self._rhythm = rhythm
        self._held: dict[UUID, _Held] = {}
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

    def hold(self, task_id: UUID, token: UUID, since: float) -> None:
        """Keep a claim alive that was asked for at `since`, on the monotonic clock: half of `Rhythm.fence` ago at most."""
        self._held[task_id] = _Held(token, since)

    def release(self, task_id: UUID) -> None:
        """Leave this claim alone from now on."""
        self._held.pop(task_id, None)

    def sure(self, task_id: UUID) -> bool:
        """Whether the claim surely holds at this moment: nobody else can have the task."""
        claim = self._held.get(task_id)
        return claim is not None and not claim.fenced and time.monotonic() < claim.since + self._rhythm.fence

    def renew(self, worker: Worker) -> None:
        """Say this of the worker from now on."""
        self._worker = worker
        self.beat_soon()

    def beat_soon(self) -> None:
        """Beat now: there may be news, such as a cancel."""
        self._loop.call_soon_threadsafe(self._soon.set)

    def _beat_for_ever(self) -> None:
        self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        watch = asyncio.create_task(self._watch())
        closing: set[asyncio.Task[None]] = set()
        while not self._stopping:
            opened = self._contact()
            try:
                async with asyncio.timeout(self._rhythm.every):
                    contact = await opened.__aenter__()
                try:
                    while not self._stopping:
                        await self._answered(contact)
                        await self._pause(self._rhythm.every)
                finally:
                    # Not waited for: closing a connection that hangs hangs too, and the next beat is due over a new one.
                    closing.add(task := asyncio.create_task(_close(opened)))
                    task.add_done_callback(closing.discard)
            except (Unavailable, TimeoutError) as error:
                log.warning("heartbeat failed: %s", str(error) or "no answer in time")
                await self._pause(self._rhythm.again)
            except Exception:
                log.exception("heartbeat failed")  # whatever it is: a heart that stops would cost every task its lease
                await self._pause(self._rhythm.again)
        watch.cancel()
        if closing:
            _, hanging = await asyncio.wait(closing, timeout=self._rhythm.every)
            for task in hanging:
                task.cancel()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        self._soon.clear()

    async def _answered(self, contact: Contact) -> None:
        """Beat once. Raises `Unavailable`, or `TimeoutError` for an answer that would come too late to count."""
        beat = asyncio.create_task(self._beat(contact))
        answered, _ = await asyncio.wait([beat], timeout=self._rhythm.every)
        if not answered:
            beat.cancel()
            raise TimeoutError
        beat.result()

    async def _beat(self, contact: Contact) -> None:
        sent = time.monotonic()
        asked = dict(self._held)
        if asked:
            answer = await contact.moves.heartbeat({task_id: claim.token for task_id, claim in asked.items()})
            for task_id, claim in asked.items():
                if task_id not in answer:
                    # That is an answer too: where this worker itself has just ended the task, and a blocked loop has not let go of it yet, nothing else may die.
                    claim.fenced = True
                    self._caller.call_soon_threadsafe(self._listener.lost, task_id, claim.token)
                    continue
                claim.since, claim.fenced = sent, False
                if answer[task_id]:
                    self._caller.call_soon_threadsafe(self._listener.cancel, task_id)
        await contact.catalogue.beat(self._worker)

    async def _watch(self) -> None:
        fence = self._rhythm.fence
        while True:
            now = time.monotonic()
            claims = [claim for claim in list(self._held.values()) if not claim.fenced]
            ends = min((claim.since for claim in claims), default=now) + fence
            if ends <= now:
                log.error(
                    "no good answer from the database for %g s: killing %d tasks before their leases end",
                    fence,
                    len(claims),
                )
                for claim in claims:
                    claim.fenced = True
                self._listener.fence()
            else:
                # A claim that comes meanwhile is younger than half a fence.
                await asyncio.sleep(min(ends - now, fence / 2))


async def _close(opened: AbstractAsyncContextManager[Contact]) -> None:
    with contextlib.suppress(Unavailable):
        await opened.__aexit__(None, None, None)
