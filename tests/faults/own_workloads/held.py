"""Workloads of the fault tests: work whose process can be told, watched and killed."""

import os
import time

from taskline import Context, workload


@workload
def held(ctx: Context, seconds: float = 60.0, attempts: int = 1) -> str:
    """Tell the number of its process, and work for so long in the first so many attempts."""
    began = time.monotonic()
    while ctx.attempt <= attempts and (gone := time.monotonic() - began) < seconds:
        ctx.progress(gone / seconds, f"process {os.getpid()}")
        time.sleep(0.05)
    return "Held."
