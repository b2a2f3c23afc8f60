"""What people do, in a real browser against the running service."""

import asyncio
import re
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.steps import PASSWORD, choose, live


async def test_from_click_to_toast(people: People, orders: Path) -> None:
    page = await people.person("ada-lovelace")
    await expect(page.get_by_role("banner").get_by_text("ada-lovelace")).to_be_visible()
    await live(page)
    await choose(page, "csv_profile")
    await page.locator("input[type=file]").set_input_files(orders)
    await expect(page.locator("file-drop.done")).to_contain_text("orders-2026.csv")
    await page.get_by_label("Name").fill("Orders of 2026")
    await page.get_by_role("button", name="Start task").click()

    row = page.locator("[data-list=active] li", has_text="Orders of 2026")
    await expect(row).to_be_visible()
    await expect(row.locator("[data-x=lead]")).to_have_text(re.compile(r"^(Running|\d+%)$"))
    toast = page.get_by_role("status").filter(has_text="Orders of 2026 is ready")
    await expect(toast).to_be_visible(timeout=60_000)
    await expect(page.locator("[data-list=finished] li", has_text="Orders of 2026")).to_be_visible()
    await expect(row).to_have_count(0)

    await toast.get_by_role("link", name="Open").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Orders of 2026")
    await expect(page.locator(".pill").first).to_have_text("Finished")
    await expect(page.locator(".result table.data").first).to_contain_text("delivery_days")
    assert await page.locator(".result svg.plot").count() >= 1
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download report.html").click()
    report = await (await download.value).path()
    assert "delivery_days" in await asyncio.to_thread(report.read_text)


async def test_an_example_and_its_failure(people: People) -> None:
    page = await people.person()
    await live(page)
    await page.get_by_role("button", name="See a failure").click()
    await expect(page.locator("[data-announce]")).to_have_text("See a failure failed")
    await expect(page.locator(".cause")).to_contain_text("What to do")
    await page.get_by_role("link", name="Run again with changes").click()
    fail = page.get_by_role("switch", name="Fail")
    await expect(fail).to_be_checked()
    await fail.uncheck()
    await page.get_by_label("Seconds").fill("0")
    await page.get_by_role("button", name="Run again").click()
    await expect(page.locator(".pill").first).to_have_text("Finished")
    await expect(page.get_by_role("link", name="Run again from an earlier task")).to_be_visible()


async def test_a_wrong_field_is_named_where_it_is(people: People) -> None:
    page = await people.person()
    people.expected = ("422",)
    await live(page)
    await choose(page, "countdown")
    await page.locator("form[data-start]").evaluate("form => { form.noValidate = true; }")
    await page.get_by_label("Seconds").fill("999999")
    await page.get_by_role("button", name="Start task").click()
    field = page.locator(".f", has=page.get_by_label("Seconds"))
    await expect(field.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("Seconds")).to_have_value("999999")
    await page.get_by_label("Seconds").fill("0")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator(".toast")).to_be_visible()


async def test_without_script_everything_still_works(people: People, orders: Path) -> None:
    page = await people.person("no-script", java_script_enabled=False)
    people.expected = ("422",)
    await expect(page.get_by_role("banner").get_by_text("no-script")).to_be_visible()
    await page.get_by_label("What should we do?").select_option("csv_profile")
    await page.get_by_role("button", name="Show its form").click()
    await page.locator("input[type=file]").set_input_files(orders)
    await page.get_by_label("Name").fill("Plain form")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Plain form")
    await expect(page.locator(".pill").first).to_have_text("Finished", timeout=60_000)  # the page loads again by itself
    await expect(page.locator("#input")).to_contain_text("orders-2026.csv")

    await page.goto("/?workload=countdown")
    await page.get_by_label("Seconds").fill("600")
    await page.get_by_role("button", name="Start task").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator(".pill").first).to_have_text("Cancelled", timeout=30_000)
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("link", name="Plain form", exact=True)).to_be_visible()
    await page.get_by_label("Search by name").fill("nothing like it")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_text("No task fits.")).to_be_visible()

    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("link", name="Sign up").first).to_be_visible()
    await page.goto("/tasks?state=failed")
    await page.get_by_label("Username").fill("no-script")
    await page.get_by_label("Password", exact=True).fill("wrong, and long enough")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text("The username or the password is wrong.")).to_be_visible()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(re.compile(r"/tasks\?state=failed$"))


async def test_a_refused_form_without_script_keeps_what_was_typed(people: People) -> None:
    page = await people.person(java_script_enabled=False)
    people.expected = ("422",)
    await page.goto("/?workload=countdown")
    await page.locator("#countdown-seconds").fill("3600")
    await page.get_by_label("Name").fill("Kept")
    # The browser holds back what the schema's limits in the markup forbid; a request made by hand does not.
    answer = await page.request.post(
        "/tasks", form={"workload": "countdown", "p.seconds": "999999", "name": "Kept"}, headers={"accept": "text/html"}
    )
    assert answer.status == 422
    text = await answer.text()
    assert 'value="999999"' in text
    assert 'value="Kept"' in text
    assert 'aria-invalid="true"' in text
