"""`python -m tests.browser.measure_frames`: whether Home stays smooth with 200 live tasks and 20 steps of progress a second, on a machine with nothing else to do.

Exit status 1 where a frame took 50 ms or more.
"""

import argparse
import asyncio

from tests.browser.crowd import LIVE, STEPS, crowd
from tests.browser.frames import LONGEST, traced


async def _main(seconds: float) -> int:
    async with crowd() as (browser, page):
        seen = await traced(browser, page, STEPS, seconds)
    print(f"{LIVE} live tasks, {STEPS} steps a second for {seconds:g} s")
    print(seen)
    return int(bool(seen.late) or max(seen.busy) > LONGEST)


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.measure_frames", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    return asyncio.run(_main(parser.parse_args().seconds))


if __name__ == "__main__":
    raise SystemExit(main())
