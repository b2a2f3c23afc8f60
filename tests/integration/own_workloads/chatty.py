"""A workload of somebody's own: it reports far more progress than anybody wants to see."""

import asyncio

from taskline import Context, workload


@workload
async def chatty(ctx: Context, seconds: float = 1.0) -> str:
    """Report a hundred times a second."""
    for step in range(int(seconds * 100)):
        ctx.progress(step / (seconds * 100), f"step {step}")
        await asyncio.sleep(0.01)
    return "Said it all."
