"""Files on the form: chosen, dropped, held, refused."""

import asyncio

from playwright.async_api import FilePayload, Route, expect

from tests.browser.conftest import People
from tests.browser.steps import choose, live

SMALL = FilePayload(name="small.csv", mimeType="text/csv", buffer=b"a,b\n1,2\n3,4\n")


async def test_a_dropped_file_is_sent(people: People) -> None:
    page = await people.person()
    await live(page)
    await choose(page, "csv_profile")
    drop = """node => {
        const data = new DataTransfer();
        data.items.add(new File(["a,b\\n1,2\\n"], "dropped.csv", { type: "text/csv" }));
        node.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    await page.locator("file-drop").evaluate(drop)
    await expect(page.locator("file-drop.done")).to_contain_text("dropped.csv")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator(".toast", has_text="is ready")).to_be_visible()
    await expect(page.locator("file-drop.done")).to_have_count(0)  # the form is ready for the next one


async def test_a_start_waits_for_the_upload(people: People) -> None:
    page = await people.person()
    await live(page)
    await choose(page, "csv_profile")
    go_on = asyncio.Event()

    async def slow(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await page.route("**/api/v1/files", slow)
    await page.locator("input[type=file]").set_input_files(SMALL)
    await expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator("[data-task]")).to_have_count(0)
    go_on.set()
    await expect(page.locator(".toast", has_text="is ready")).to_be_visible()


async def test_a_missing_file_is_asked_for(people: People) -> None:
    page = await people.person()
    await live(page)
    await choose(page, "csv_profile")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator("file-drop")).to_contain_text("Choose a file first.")
    await expect(page.get_by_role("button", name="Choose")).to_be_focused()


async def test_an_upload_that_breaks_off_says_so_and_can_be_repeated(people: People) -> None:
    page = await people.person()
    people.expected = ("ERR_FAILED",)
    await live(page)
    await choose(page, "csv_profile")
    await page.route("**/api/v1/files", lambda route: route.abort())
    await page.locator("input[type=file]").set_input_files(SMALL)
    await expect(page.locator("file-drop")).to_contain_text("The upload did not get through. Choose it again.")
    await page.unroute("**/api/v1/files")
    await page.locator("input[type=file]").set_input_files(SMALL)
    await expect(page.locator("file-drop.done")).to_contain_text("small.csv")
