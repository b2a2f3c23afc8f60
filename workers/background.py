"""Jobs that nobody waits for: they go on until they are cancelled."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


def background(job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin it. Where it ends by itself, which is a fault of ours, the log says so loudly."""
    task = asyncio.create_task(job)
    task.add_done_callback(_tell)
    return task


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        log.critical("%s ended by itself: restart this worker", task.get_coro(), exc_info=task.exception())
