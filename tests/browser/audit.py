"""`make audit`: Lighthouse on the pages that people see most. Exit status 1 where accessibility or best practices are under 95; what it says could be saved is printed.

Needs Node; `npx` fetches Lighthouse where the variable LIGHTHOUSE names no command of one's own. Not part of `make test`, which asks no registry for programs:
what Lighthouse says of accessibility it takes from axe-core, and those rules are tests (`test_every_page.py`).
"""

import asyncio
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from playwright.async_api import async_playwright

from tests.browser.furnished import SETTINGS, furnish
from tests.browser.steps import PASSWORD
from tests.browser.taskline import Taskline
from tests.servers import free_port
from tests.servers.programs import program

LEAST: Final = 95  # of 100
VERSION: Final = "12.8.2"
CATEGORIES: Final = ("accessibility", "best-practices")
COSTS: Final = "performance"  # its score is that of this machine; what it says could be saved is not
GOOD: Final = 0.9  # from here on Lighthouse itself calls an audit passed
TIMED: Final = {"mainthread-work-breakdown", "bootup-time"}  # on a processor slowed down fourfold
# Pages of somebody with tasks; `welcome` is that of a stranger.
PAGES: Final = {"home": "/", "task": "finished", "tasks": "/tasks", "about": "/about"}


def judge(name: str, report: Mapping[str, Any]) -> bool:
    """Print what a report says of a page; whether that is good enough."""
    scores: dict[str, int] = {category: round(report["categories"][category]["score"] * 100) for category in CATEGORIES}
    print(f"{name}: " + ", ".join(f"{category} {score}" for category, score in scores.items()), flush=True)
    for category in CATEGORIES:
        for one in report["categories"][category]["auditRefs"]:
            found = report["audits"][one["id"]]
            if one["weight"] and found["score"] is not None and found["score"] < 1:
                print(f"  {found['id']}: {found['title']}")
    for cost in avoidable(report):
        print(f"  {cost}")
    return min(scores.values()) >= LEAST


def avoidable(report: Mapping[str, Any]) -> Iterator[str]:
    """What could be saved, as the report says it: each audit of costs that is not passed, is no mere measurement of time, and that somebody could act on."""
    for one in report["categories"][COSTS]["auditRefs"]:
        found = report["audits"][one["id"]]
        if one["weight"] or one.get("group") == "hidden" or one["id"] in TIMED or found["score"] is None:
            continue
        if found["score"] < GOOD and _actionable(found.get("details") or {}):
            yield f"{found['id']}: {found['title']} {found.get('displayValue', '')}"


def _actionable(details: Mapping[str, Any]) -> bool:
    """Whether it saves anything, and is not what no page can help: that an open websocket keeps one out of the browser's page cache, for one."""
    kinds = {one["failureType"] for one in details.get("items", ()) if "failureType" in one}
    saves = details.get("overallSavingsMs") != 0 or bool(details.get("overallSavingsBytes"))
    return saves and (not kinds or "Actionable" in kinds)


async def audit(url: str, port: int) -> Mapping[str, Any]:
    """The report of a page, in the browser that listens there. Raises OSError where Lighthouse gives none."""
    command = shlex.split(os.environ.get("LIGHTHOUSE", f"npx --yes lighthouse@{VERSION}"))
    options = [f"--port={port}", "--disable-storage-reset", "--quiet", "--output=json", "--output-path=stdout"]
    process = await asyncio.create_subprocess_exec(
        *command, url, *options, f"--only-categories={','.join((*CATEGORIES, COSTS))}", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise OSError(f"Lighthouse ended with status {process.returncode}")
    report: Mapping[str, Any] = orjson.loads(said)
    return report


async def main() -> int:
    """Return the exit status."""
    port = free_port()
    good = True
    with Taskline(free_port(), SETTINGS).served() as server:
        async with async_playwright() as playwright:
            with tempfile.TemporaryDirectory(prefix="taskline-audit-", ignore_cleanup_errors=True) as profile:
                # Lighthouse opens its own tab in the browser's first profile, so that is where somebody has to be signed in.
                context = await playwright.chromium.launch_persistent_context(
                    profile,
                    executable_path=program("chromium"),
                    args=["--no-sandbox", f"--remote-debugging-port={port}"],
                    ignore_default_args=["--disable-back-forward-cache"],  # Playwright's, and no fault of a page
                    base_url=server.url,
                )
                good &= judge("welcome", await audit(f"{server.url}/", port))
                await context.request.post("/signup", form={"username": "ada-lovelace", "password": PASSWORD})
                tasks = await furnish(context.request)
                for name, address in PAGES.items():
                    good &= judge(name, await audit(f"{server.url}{tasks.get(address, address)}", port))
                await context.close()
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
