"""Runs a `def` workload in a thread of its own."""

import asyncio
import contextlib
import ctypes
import logging
import threading
from collections.abc import Callable
from typing import Any

from taskline import Cancelled, Workload
from taskline.context import Context
from workers.assignment import Outcome, Stop
from workers.attempt import Attempt
from workers.invocation import arguments, failure, success
from workers.watch import Watch
from workers.wire import Ending, Unsuccessful

log = logging.getLogger(__name__)


async def run_in_thread(workload: Workload[..., Any], attempt: Attempt, stop: Stop) -> Outcome:
    """Run it. One that is deaf to `Cancelled` is left behind after the grace: a thread cannot be killed."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Ending] = loop.create_future()

    def keep(ending: Ending) -> None:
        watch.close()
        if not ended.done():
            ended.set_result(ending)

    def leave() -> None:
        if not ended.done():
            log.error(
                "task %s (%s) does not heed its cancellation; its thread goes on, unheard",
                attempt.assignment.task_id,
                workload.name,
            )
            keep(Unsuccessful(kind="cancelled"))

    work = _ThreadWork(workload, attempt, loop)
    watch = Watch(stop, attempt.description.timeout_s, interrupt=work.interrupt, kill=leave)
    # A daemon: a thread that never ends must not keep the worker from ending.
    thread = threading.Thread(
        target=lambda: work.run(keep), name=f"{workload.name} {attempt.assignment.task_id}", daemon=True
    )
    thread.start()
    try:
        with watch:
            ending = await ended
    except asyncio.CancelledError:
        work.interrupt()
        raise
    return attempt.outcome(ending, watch.reason)


class _ThreadWork:
    """The work of one thread; implements `taskline.context.Host`, and hands its reports to the loop."""

    def __init__(self, workload: Workload[..., Any], attempt: Attempt, loop: asyncio.AbstractEventLoop) -> None:
        self._workload = workload
        self._attempt = attempt
        self._loop = loop
        self._asked = threading.Event()
        self._guard = threading.Lock()
        self._inside: int | None = None  # the thread's id, while author's code runs in it
        self._newest: tuple[float | None, str] = None, ""
        self._tells = False  # the loop is about to be told
        self.folder = attempt.folder
        self.log = attempt.log
        self.remaining = attempt.remaining
        self.cancelled = self._asked.is_set

    def run(self, keep: Callable[[Ending], None]) -> None:
        """In the thread: do the work and tell the loop how it ended."""
        ending = self._ending()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(keep, ending)

    def interrupt(self) -> None:
        """Wake it from `ctx.sleep`, and raise `Cancelled` inside it at its next step in Python."""
        self._attempt.asked = True
        self._asked.set()
        with self._guard:
            # Once at most: wherever it strikes then, it is caught.
            if self._inside is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._inside), ctypes.py_object(Cancelled))
                self._inside = None

    def progress(self, fraction: float | None, message: str) -> None:
        """Tell the loop, once for all that comes before it turns."""
        # In this order, and `_tell` in the other, the newest is always told; no lock, because Cancelled may strike while it is held.
        self._newest = fraction, message
        if not self._tells:
            self._tells = True
            self._loop.call_soon_threadsafe(self._tell)

    def sleep(self, seconds: float) -> None:
        """Sleep until asked to end."""
        if self._asked.wait(seconds):
            raise Cancelled

    def _tell(self) -> None:
        self._tells = False
        self._attempt.progress(*self._newest)

    def _ending(self) -> Ending:
        assignment = self._attempt.assignment
        context = Context(self, task_id=assignment.task_id, attempt=assignment.attempt, secrets=self._attempt.secrets)
        try:
            try:
                checked = arguments(self._workload, assignment.params, assignment.version, self._attempt.files())
                with self._guard:
                    self._inside = None if self._asked.is_set() else threading.get_ident()
                if self._inside is None:
                    raise Cancelled
                return success(context, self._workload.call(context, checked))
            finally:
                # Out of reach from here on.
                with self._guard:
                    self._inside = None
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(threading.get_ident()), None
                    )  # one that is still on its way
        except BaseException as error:  # noqa: BLE001  whatever it is, the task must hear of it; Cancelled may come as late as in the line above
            return failure(error, self._workload.retry_on)
