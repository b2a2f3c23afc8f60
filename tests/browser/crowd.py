"""Home with 200 live tasks, 20 steps of progress a second: the real page of the real service, with a websocket that is played in the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import People, people_of
from tests.browser.steps import live
from tests.browser.taskline import Taskline
from tests.servers import free_port
from tests.servers.programs import program

SCRIPT: Final = Path(__file__).with_name("crowd.js")
LIVE: Final = 200  # tasks
STEPS: Final = 20  # a second
STEPS_EACH: Final = 50  # from a task's begin to its end: STEP in crowd.js is a fiftieth
ENDED: Final = 320  # tasks before that: as many as a page keeps, with those that live


async def gathered(people: People) -> Page:
    """Home of somebody whose tasks are gathered; nothing moves yet."""
    page = await people.person()
    await page.add_init_script(path=SCRIPT)
    await page.reload()
    await live(page)
    await page.evaluate("([live, ended]) => window.crowd.gather(live, ended)", [LIVE, ENDED])
    assert await page.locator("[data-list=active] li").count() == LIVE
    return page


async def dismiss(page: Page) -> None:
    """Close all toasts: how many there are depends on the time."""
    await page.evaluate("document.querySelectorAll('toast-list [data-dismiss]').forEach((one) => one.click())")


@asynccontextmanager
async def crowd() -> AsyncIterator[tuple[Browser, Page]]:
    """For a program of its own: a service, a browser and `gathered`."""
    with Taskline(free_port()).served() as server:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
            async with people_of(browser, server.url) as people:
                yield browser, await gathered(people)
            await browser.close()
