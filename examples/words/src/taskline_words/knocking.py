"""Waits for another machine: nothing to compute, so it runs on the worker's loop beside hundreds of others."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from taskline import Context, RetryLater, Ui, workload


class NobodyAnswers(RetryLater):
    """Nobody answers at this port yet."""


@workload(retries=5, timeout=timedelta(minutes=10))
async def knock(
    ctx: Context,
    host: str,
    port: Annotated[int, Field(ge=1, le=65535)],
    tries: Annotated[int, Field(ge=1, le=100)] = 5,
    pause: Annotated[float, Field(ge=0, le=60), Ui(unit="s")] = 1.0,
) -> str:
    """Wait until a port takes connections. Tried again five times, five minutes apart."""
    for _ in ctx.track(range(tries), "knock"):
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return f"{host}:{port} answers."
        await asyncio.sleep(pause)
    raise NobodyAnswers(after=timedelta(minutes=5), hint="Is it the right port?")
