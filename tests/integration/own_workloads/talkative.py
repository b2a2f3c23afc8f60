"""A workload of somebody's own that talks while it works."""

import asyncio

from taskline import Context, RetryLater, workload


@workload
async def talkative(ctx: Context, seconds: float = 600, flood: int = 0) -> str:
    """Say something at the first attempt, fail, and say more at the second until it is over."""
    ctx.log(f"attempt {ctx.attempt} begins")
    if ctx.attempt == 1:
        ctx.log("no luck <b>today</b>", level="warning")
        raise RetryLater(after=0)
    for number in range(flood):
        ctx.log(f"line {number}")
    for number in range(int(seconds * 10)):
        if number % 10 == 0:
            ctx.log(f"second {number // 10}")
        await asyncio.sleep(0.1)
    return "Said it all."
