"""A coroutine in a child process: on a loop of its own, ended as it would be on the worker's."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from workers.interrupts import Interrupts


def completed(coroutine: Coroutine[Any, Any, Any], interrupts: Interrupts) -> Any:
    """What it returns. The interrupt cancels it; what it has started besides is cancelled at its end."""
    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(coroutine)
        with interrupts.instead(lambda: loop.call_soon_threadsafe(task.cancel)):
            return loop.run_until_complete(task)
    finally:
        loop.run_until_complete(_end_others())
        loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
