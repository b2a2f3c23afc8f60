"""Runs an `async def` workload on the worker's own loop."""

import asyncio
import logging
from typing import Any

from taskline import Workload
from taskline.context import Context
from workers.assignment import Outcome, Stop
from workers.attempt import Attempt
from workers.invocation import arguments, failure, success
from workers.watch import Watch
from workers.wire import Ending, Unsuccessful

log = logging.getLogger(__name__)


async def run_on_loop(workload: Workload[..., Any], attempt: Attempt, stop: Stop) -> Outcome:
    """Run it in an asyncio task of its own. One that swallows its cancellation is left behind after the grace: a coroutine cannot be killed."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Ending] = loop.create_future()

    def keep(task: asyncio.Task[Ending]) -> None:
        watch.close()
        if not ended.done():
            ended.set_result(Unsuccessful(kind="cancelled") if task.cancelled() else task.result())

    def interrupt() -> None:
        attempt.asked = True
        task.cancel()

    def leave() -> None:
        if not ended.done():
            log.error(
                "task %s (%s) swallows its cancellation; it goes on, unheard", attempt.assignment.task_id, workload.name
            )
            ended.set_result(Unsuccessful(kind="cancelled"))

    watch = Watch(stop, attempt.description.timeout_s, interrupt=interrupt, kill=leave)
    task = loop.create_task(_call(workload, attempt))
    task.add_done_callback(keep)
    try:
        with watch:
            ending = await ended
    except asyncio.CancelledError:
        interrupt()
        raise
    return attempt.outcome(ending, watch.reason)


async def _call(workload: Workload[..., Any], attempt: Attempt) -> Ending:
    assignment = attempt.assignment
    context = Context(attempt, task_id=assignment.task_id, attempt=assignment.attempt, secrets=attempt.secrets)
    try:
        checked = arguments(
            workload, assignment.params, assignment.version, attempt.files() if assignment.files else {}
        )
        return success(context, await workload.call(context, checked))
    except BaseException as error:  # noqa: BLE001  sys.exit() in a workload must not end the worker
        return failure(error, workload.retry_on)
