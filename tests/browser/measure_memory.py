"""`python -m tests.browser.measure_memory --minutes 10`: whether what Home holds stays the same while 200 tasks live on it, with 20 steps of progress a second.

Prints a line each half minute, after all garbage is collected. Exit status 1 where it grew by more than a twentieth.
"""

import argparse
import asyncio
from typing import Final

from tests.browser.crowd import ENDED, LIVE, STEPS, STEPS_EACH, crowd
from tests.browser.memory import Held, Scales

EACH: Final = 30.0  # seconds between two lines
MOST: Final = 0.05  # growth, as a part


async def _main(minutes: float) -> int:
    lines: list[Held] = []
    told = 0
    async with crowd() as (_, page):
        scales = await Scales.of(page)
        # All that the page keeps has gone its whole way.
        await page.evaluate("steps => window.crowd.hurry(steps)", STEPS_EACH * ENDED)
        print(
            f"{LIVE} live tasks, {STEPS} steps a second\n{'minute':>6} {'steps':>8} {'heap':>13} {'nodes':>10} {'listeners':>10}"
        )
        for at in range(round(minutes * 60 / EACH) + 1):
            if at:
                told += await page.evaluate("([pace, seconds]) => window.crowd.walk(pace, seconds)", [STEPS, EACH])
            lines.append(await scales.weigh())
            print(f"{at * EACH / 60:6.1f} {told:8,} {lines[-1]}", flush=True)
    grew = lines[-1].growth(lines[0])
    print(f"From the first line to the last: {grew:+.1%} at most; {MOST:.0%} is the bound")
    return int(grew > MOST)


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.measure_memory", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    return asyncio.run(_main(parser.parse_args().minutes))


if __name__ == "__main__":
    raise SystemExit(main())
