"""The list of all tasks: rows stand still while new ones come, and are selected singly, in ranges and as a whole; then cancelled or deleted at once."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import People
from tests.browser.steps import live


async def submit(page: Page, *names: str, seconds: int = 300) -> None:
    """Start countdowns, the first name first."""
    for name in names:
        body = {"workload": "countdown", "params": {"seconds": seconds}, "name": name}
        assert (await page.request.post("/api/v1/tasks", data=body)).status == 202


async def test_new_tasks_wait_behind_a_button_and_no_row_moves(people: People) -> None:
    page = await people.person()
    await submit(page, "Old")
    await page.goto("/tasks")
    await live(page)
    row = page.locator("[data-list=all] li", has_text="Old")
    await expect(row).to_contain_text("Running")
    before = await row.bounding_box()
    await submit(page, "A", "B", "C", "D")
    button = page.get_by_role("link", name="4 new")
    await expect(button).to_be_visible()
    assert await row.bounding_box() == before
    await expect(page.locator("[data-list=all] li")).to_have_count(1)
    await button.click()
    await expect(page.locator("[data-list=all] li")).to_have_count(5)
    await expect(button).to_be_hidden()


async def test_only_what_fits_the_filter_is_new(people: People) -> None:
    page = await people.person()
    await submit(page, "Old")
    await page.goto("/tasks?q=fit")
    await expect(page.get_by_text("No task fits.")).to_be_visible()
    await submit(page, "It fits")
    await page.goto("/tasks?q=fit")
    await live(page)
    await submit(page, "Another", "This one FITS")
    await expect(page.get_by_role("link", name=re.compile(r"\d new"))).to_have_text(" 1 new")


async def test_rows_are_selected_in_ranges_and_counted(people: People) -> None:
    page = await people.person()
    await submit(page, "one", "two", "three", "four")
    await page.goto("/tasks")
    bar = page.get_by_role("group", name="Selected tasks")
    cancel = bar.get_by_role("button", name="Cancel")
    await expect(cancel).to_be_disabled()
    boxes = page.locator("[data-list=all] input")
    await boxes.nth(0).check()
    await expect(bar).to_contain_text("1 task selected")
    await boxes.nth(2).click(modifiers=["Shift"])
    await expect(bar).to_contain_text("3 tasks selected")
    await expect(boxes.nth(1)).to_be_checked()
    await boxes.nth(1).click()
    await expect(bar).to_contain_text("2 tasks selected")
    await bar.get_by_label("This page").check()
    await expect(bar).to_contain_text("4 tasks selected")
    await bar.get_by_label("All 4 matching").check()
    await expect(bar).to_contain_text("All that match are selected")
    await boxes.nth(3).uncheck()
    await expect(bar).to_contain_text("3 tasks selected")
    await expect(bar.get_by_label("All 4 matching")).not_to_be_checked()
    await expect(bar).to_have_css("position", "sticky")
    await cancel.click()
    await expect(page.get_by_role("heading", name="Cancel 3 tasks?")).to_be_visible()
    await expect(page.get_by_text("All 3 can be cancelled.")).to_be_visible()
    await page.get_by_role("button", name="Cancel 3 tasks").click()
    await expect(page.get_by_role("status", name="What was done")).to_contain_text("3 tasks were cancelled.")
    await expect(page.locator("[data-list=all] li", has_text="Cancelled")).to_have_count(3)
    await expect(page.locator("[data-list=all] li", has_text="one")).to_contain_text("Running")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_all_that_match_are_deleted(people: People, script: bool) -> None:
    page = await people.person(java_script_enabled=script)
    await submit(page, "keep this")
    await submit(page, *(f"drop {at}" for at in range(3)), seconds=0)
    await page.goto("/tasks?q=drop")
    async with asyncio.timeout(20):
        while await page.locator("[data-list=all] li", has_text="Finished").count() < 3:
            await page.reload()
    await page.get_by_label("All 3 matching").check()
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    await page.get_by_role("button", name="Delete 3 tasks").click()
    await expect(page.get_by_text("3 tasks were deleted.")).to_be_visible()
    await expect(page.get_by_text("No task fits.")).to_be_visible()
    await page.goto("/tasks")
    await expect(page.locator("[data-list=all] li")).to_have_count(1)


async def test_the_bar_fits_a_phone(people: People) -> None:
    page = await people.person(viewport={"width": 390, "height": 844})
    await submit(page, "A name that is long enough to need more than one line on a phone, or to be cut somewhere")
    await page.goto("/tasks")
    await page.locator("[data-list=all] input").check()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    small = await page.locator("main :is(.btn, .bulk label, .pick):visible").evaluate_all(
        "all => all.filter((one) => one.getBoundingClientRect().height < 39.5).map((one) => one.textContent)"
    )
    assert small == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_nobody_is_kept_from_it(people: People, width: int, scheme: str) -> None:
    page = await people.person(viewport={"width": width, "height": 844}, color_scheme=scheme)
    await submit(page, "one", "two")
    await page.goto("/tasks")
    await page.locator("[data-list=all] input").first.check()
    assert await violations(page) == []
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("heading", name="Cancel 1 task?")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Cancel 1 task").click()
    await expect(page.get_by_role("status", name="What was done")).to_be_visible()
    assert await violations(page) == []
    await page.goto("/")
    await page.get_by_label("When it succeeds, start").select_option("csv_profile")
    assert await violations(page) == []
    await page.goto("/account#keyboard")
    assert await violations(page) == []
