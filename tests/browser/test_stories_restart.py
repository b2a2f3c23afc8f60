"""The service restarts under open pages: nobody reloads anything, what was typed stays, and what ran goes on."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import People, people_of
from tests.browser.steps import choose, live, start_countdown
from tests.browser.taskline import Taskline
from tests.servers import free_port


@pytest.fixture(scope="module")
def hasty() -> Iterator[Taskline]:
    """A service that hands back what it runs as soon as it is asked to stop."""
    with Taskline(free_port(), {"TASKLINE_DRAIN_SECONDS": "0"}).served() as server:
        yield server


@pytest.fixture
async def hasty_people(browser: Browser, hasty: Taskline) -> AsyncIterator[People]:
    async with people_of(browser, hasty.url) as made:
        made.expected = ("WebSocket", "net::ERR")
        yield made


async def test_open_pages_go_on_as_if_nothing_had_happened(hasty_people: People, hasty: Taskline) -> None:
    home = await hasty_people.person()
    await live(home)
    await start_countdown(home, 6, "Through the restart")
    row = home.locator("[data-list=active] li", has_text="Through the restart")
    await expect(row.locator("[data-x=lead]")).to_have_text(re.compile(r"^\d+%$"))
    task = await home.context.new_page()
    await task.goto(await row.get_by_role("link").first.get_attribute("href") or "")
    await live(task)
    await choose(home, "countdown")
    await home.get_by_label("Seconds").fill("42")
    await home.get_by_label("Name").fill("Typed before")
    for page in (home, task):
        await page.evaluate("window.same = true")

    await asyncio.to_thread(hasty.stop)
    for page in (home, task):
        await expect(page.locator("[data-banner]")).to_contain_text("Connection lost")
    await asyncio.to_thread(hasty.start)
    for page in (home, task):
        await page.get_by_role("button", name="Reconnect now", include_hidden=True).dispatch_event("click")
        await live(page)
        await expect(page.locator("[data-banner]")).to_be_hidden()
        assert await page.evaluate("window.same")
    await expect(home.get_by_label("Name")).to_have_value("Typed before")
    await expect(home.get_by_label("Name")).to_be_focused()
    await expect(home.get_by_label("Seconds")).to_have_value("42")

    await expect(task.locator(".pill").first).to_have_text("Finished", timeout=60_000)
    await expect(home.locator("[data-list=finished] li", has_text="Through the restart")).to_have_count(1)
    await expect(home.locator("[data-list=active] li")).to_have_count(0)
    await home.get_by_role("button", name="Start task").click()
    await expect(home.locator("[data-list=active] li", has_text="Typed before")).to_be_visible()
