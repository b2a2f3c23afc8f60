"""The smallest workload: it waits."""

import asyncio
from typing import Annotated

from pydantic import Field

from taskline import Context, Fail, Ui, workload


class AskedToFail(Fail):
    """The countdown failed, because it was asked to."""


@workload
async def countdown(
    ctx: Context,
    seconds: Annotated[float, Field(ge=0, le=3600, description="How long to count"), Ui(unit="s")] = 10,
    fail: Annotated[bool, Field(description="End in an error, to see what that looks like")] = False,
) -> str:
    """Count down, one second at a time. Good for a first try, and to watch how progress and notifications behave."""
    left = seconds
    while left > 0:
        ctx.progress(1 - left / seconds, f"{_said(left)} left")
        await asyncio.sleep(min(1.0, left))
        left -= 1
    if fail:
        raise AskedToFail(hint="Start it again with “fail” switched off.")
    return f"Counted {_said(seconds)}."


def _said(seconds: float) -> str:
    return f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"
