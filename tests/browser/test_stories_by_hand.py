"""The main story, from nothing to a result in one's hands: without JavaScript, and without a mouse."""

import asyncio
import re
from pathlib import Path
from uuid import uuid4

from playwright.async_api import FileChooser, Locator, Page, expect

from tests.browser.conftest import PATIENCE, People
from tests.browser.steps import PASSWORD, live

MOST_STEPS = 80
SHOWN = """() => {
  const { activeElement: one } = document;
  const { outlineStyle, boxShadow } = getComputedStyle(one.matches("input[type=radio]") ? one.closest("label") : one);
  const { width, height } = one.getBoundingClientRect();
  return outlineStyle !== "none" || boxShadow !== "none" ? width * height > 0 : false;
}"""


async def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus. Wherever the focus is on the way, it is seen."""
    await expect(target).to_be_visible()
    for _ in range(MOST_STEPS):
        if await target.evaluate("one => one === document.activeElement"):
            return
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement !== document.body"):
            assert await page.evaluate(SHOWN), await page.evaluate("document.activeElement.outerHTML")
    raise AssertionError(f"{MOST_STEPS} presses of Tab did not reach {target}")


async def test_without_a_mouse(people: People, orders: Path) -> None:
    page = await people.stranger()
    # Heard from the beginning: the browser is told to ask us for files some time after the first listener comes, and nothing says when.
    chooser: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()

    def asked(for_file: FileChooser) -> None:
        chooser.set_result(for_file)

    page.once("filechooser", asked)
    await page.goto("/")
    await tab_to(page, page.get_by_role("link", name="Sign up").first)
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Username")).to_be_focused()
    await page.keyboard.type(f"k{uuid4().hex[:12]}")
    await tab_to(page, page.get_by_label("Password", exact=True))
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Hello, k")
    await live(page)

    workload = page.get_by_label("What should we do?")
    await page.keyboard.press("n")
    await expect(workload).to_be_focused()
    await page.keyboard.press("Home")
    while await workload.input_value() != "csv_profile":
        before = await workload.input_value()
        await page.keyboard.press("ArrowDown")
        await expect(workload).not_to_have_value(before)  # the last one has none below
    pick = page.locator("[data-fields=csv_profile] file-drop").get_by_role("button")
    await tab_to(page, pick)
    await page.keyboard.press("Enter")
    async with asyncio.timeout(PATIENCE / 1000):
        await (await chooser).set_files(orders)
    await expect(page.locator("file-drop.done")).to_contain_text("orders-2026.csv")
    await tab_to(page, page.get_by_label("Name"))
    await page.keyboard.type("Without a mouse")
    await page.keyboard.press("Control+Enter")

    ended = page.locator("[data-list=finished]").get_by_role("link", name="Without a mouse", exact=True)
    await expect(ended).to_be_visible(timeout=60_000)
    await tab_to(page, ended)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Without a mouse")
    await expect(page.locator(".result table.data").first).to_contain_text("delivery_days")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("link", name="Download report.html"))
    async with page.expect_download() as download:
        await page.keyboard.press("Enter")
    assert await (await download.value).path()


async def test_without_javascript(people: People, orders: Path) -> None:
    name = f"plain-{uuid4().hex[:12]}"
    page = await people.person(name, java_script_enabled=False)
    await page.goto("/?workload=csv_profile")
    await page.locator("input[type=file]").set_input_files(orders)
    await page.get_by_label("Name").fill("By form alone")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("By form alone")
    await expect(page.locator(".pill").first).to_have_text("Finished", timeout=60_000)  # the page loads again by itself
    await expect(page.locator(".result table.data").first).to_contain_text("delivery_days")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download report.html").click()
    report = await (await download.value).path()
    assert "delivery_days" in await asyncio.to_thread(report.read_text)
    address = page.url
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("link", name="Sign up").first).to_be_visible()
    await page.goto(address)
    await expect(page).to_have_url(re.compile(r"/login\?next="))
