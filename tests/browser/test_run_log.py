"""The log on a task's page: lines arrive while it runs, each attempt apart, and stay when it has ended."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import People
from tests.browser.taskline import Taskline
from tests.servers import free_port

TALKATIVE = Path(__file__).parent.parent / "integration" / "own_workloads"


@pytest.fixture(scope="module")
def talkative() -> Iterator[Taskline]:
    """The service with a workload that talks while it works."""
    settings = {"TASKLINE_WORKLOADS": "talkative", "PYTHONPATH": str(TALKATIVE)}
    with Taskline(free_port(), settings).served() as server:
        yield server


async def test_lines_arrive_while_the_task_runs(browser: Browser, talkative: Taskline) -> None:
    people = People(browser, talkative.url)
    page = await people.person()
    await page.goto("/?workload=talkative")
    await page.get_by_label("Seconds").fill("600")
    await page.get_by_role("button", name="Start task").click()
    await page.locator("[data-list=active]").get_by_role("link", name="Talkative").click()
    log = page.locator("log-view")
    second = log.locator('[data-attempt="2"] pre')
    await expect(second).to_contain_text("attempt 2 begins")
    await expect(log.locator('[data-attempt="1"] pre')).to_contain_text("no luck <b>today</b>")
    seen = await second.locator("> span").count()
    await expect(second.locator("> span")).not_to_have_count(seen)  # more come, without a reload
    await page.get_by_role("button", name="Wrap").click()
    assert await second.evaluate(
        "pre => getComputedStyle(pre).whiteSpaceCollapse + getComputedStyle(pre).textWrapMode"
    ) == ("preservewrap")
    async with page.expect_download() as download:
        await log.get_by_role("link", name="Download").click()
    text = (await (await download.value).path()).read_text()
    assert text.startswith("--- Attempt 1 ---\n")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator(".pill").first).to_contain_text("Cancelled")
    await expect(second).to_contain_text("second 0")
    for context in people.contexts:
        await context.close()
    assert people.complaints == []
