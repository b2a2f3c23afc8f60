"""How long a page's main thread is busy at a stretch, from Chromium's own trace: a frame is late where a piece of its work takes too long."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import orjson
from playwright.async_api import Browser, Page

LONGEST: Final = 50.0  # ms
CATEGORIES: Final = ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"]
# What Chromium itself says of frames that took 50 ms or more, with all their pieces together.
OBSERVE: Final = """() => {
  window.late = [];
  new PerformanceObserver((list) => window.late.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "long-animation-frame" });
}"""


@dataclass(frozen=True)
class Frames:
    """What a trace holds, in ms. `busy`: each piece of work on the clock; `worked`: of a processor, which other work on the machine makes no longer."""

    steps: int
    busy: list[float]
    worked: list[float]
    late: list[float]

    def __str__(self) -> str:
        late = f", the longest {max(self.late):.0f} ms" if self.late else ""
        return (
            f"{self.steps} steps, {len(self.busy)} pieces of work, the longest {max(self.busy):.1f} ms on the clock "
            f"and {max(self.worked):.1f} ms of a processor; frames over {LONGEST:.0f} ms: {len(self.late)}{late}"
        )


async def traced(browser: Browser, page: Page, per_second: int, seconds: float) -> Frames:
    """Let the crowd of the page walk for some seconds, under a trace."""
    await page.evaluate(OBSERVE)
    await browser.start_tracing(page=page, categories=CATEGORIES)
    steps = await page.evaluate("([pace, seconds]) => window.crowd.walk(pace, seconds)", [per_second, seconds])
    events: list[dict[str, Any]] = orjson.loads(await browser.stop_tracing())["traceEvents"]
    pages = {_thread(one) for one in events if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"}
    pieces = [one for one in events if one["name"] == "RunTask" and one["ph"] == "X" and _thread(one) in pages]
    [(busiest, _)] = Counter(map(_thread, pieces)).most_common(1)
    own = [one for one in pieces if _thread(one) == busiest]
    return Frames(
        steps,
        [one["dur"] / 1000 for one in own],
        [one["tdur"] / 1000 for one in own if "tdur" in one],
        await page.evaluate("window.late"),
    )


def _thread(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]
