"""axe-core in a page: what keeps people with other eyes, ears and hands from using it."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

VENDOR: Final = Path(__file__).with_name("vendor")
SCRIPT: Final = VENDOR / "axe-core-4.14.1" / "axe.min.js"

# All rules that axe has switched on, best practices included. Styles are of this origin, so that none has to be fetched again.
# What is still fading in has no colour of its own yet; what turns for ever is let be.
STILL: Final = """() => Promise.allSettled(
  document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished))"""
RUN: Final = "() => axe.run(document, { resultTypes: ['violations'], preload: false })"


@cache
def script() -> str:
    """The vendored axe-core."""
    return SCRIPT.read_text()


async def violations(page: Page) -> list[str]:
    """What axe finds in the page as it is now: the rule, where, and what would mend it.

    The script is given to the page by the browser's own protocol, which neither the content security policy nor Trusted Types govern: both stay in force.
    """
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(script())
    await page.evaluate(STILL)
    found: dict[str, Any] = await page.evaluate(RUN)
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {' '.join(node['failureSummary'].split())}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def hashes() -> dict[str, str]:
    """What the vendored files are, by their names."""
    return {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.glob("*/*")
    }
