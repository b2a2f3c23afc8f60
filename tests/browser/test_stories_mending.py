"""What people do about a task that goes wrong, or that they did not mean: cancel it, start it again, give it a better file."""

import re

from playwright.async_api import FilePayload, expect

from tests.browser.conftest import People
from tests.browser.furnished import BROKEN
from tests.browser.steps import choose, live, start_countdown

MENDED = BROKEN.replace(b",left over", b"")


async def test_a_task_is_cancelled_on_its_page_and_tried_again(people: People) -> None:
    page = await people.person()
    await live(page)
    await start_countdown(page, 600, "Second thoughts")
    await page.locator("[data-list=active]").get_by_role("link", name="Second thoughts").click()
    await live(page)
    pill = page.locator(".pill").first
    await expect(pill).to_have_text("Running")
    first = page.url
    await page.get_by_role("button", name="Cancel").click()
    await expect(pill).to_have_text("Cancelled")
    await expect(page.locator("[data-timeline]")).to_contain_text("Cancel asked for")

    await page.get_by_role("button", name="Retry").click()
    await expect(page).not_to_have_url(first)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Second thoughts")
    await expect(pill).to_have_text("Running")
    await expect(page.get_by_role("link", name="Run again from an earlier task")).to_have_attribute(
        "href", re.compile(re.escape(first.rpartition("/")[2]))
    )
    await page.get_by_role("button", name="Cancel").click()
    await expect(pill).to_have_text("Cancelled")


async def test_a_file_that_failed_is_mended_and_sent_again(people: People) -> None:
    page = await people.person()
    await live(page)
    await choose(page, "csv_profile")
    files = page.locator("input[type=file]")
    await files.set_input_files(FilePayload(name="visitors.csv", mimeType="text/csv", buffer=BROKEN))
    await expect(page.locator("file-drop.done")).to_contain_text("visitors.csv")
    await page.get_by_label("Name").fill("Visitors")
    await page.get_by_role("button", name="Start task").click()
    toast = page.locator(".toast", has_text="Visitors failed")
    await expect(toast).to_be_visible(timeout=60_000)
    await toast.get_by_role("link", name="Open").click()
    await expect(page.locator(".cause")).to_contain_text(re.compile(r"(row|line) 3", re.IGNORECASE))
    await expect(page.locator(".cause")).to_contain_text("What to do")

    await page.get_by_role("link", name="Run again with changes").click()
    await live(page)
    drop = page.locator("file-drop")
    await expect(drop).to_contain_text("visitors.csv")
    await files.set_input_files(FilePayload(name="visitors-mended.csv", mimeType="text/csv", buffer=MENDED))
    await expect(drop).to_contain_text("visitors-mended.csv")
    await page.get_by_role("button", name="Run again").click()
    await expect(page.locator(".pill").first).to_have_text("Finished", timeout=60_000)
    await expect(page.locator(".result")).to_contain_text("visitors")
    await expect(page.locator("#input")).to_contain_text("visitors-mended.csv")
