"""The form on Home beyond its first field: the workload used last, what follows on success, and what is to be expected, as things move."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.steps import choose, live, start_countdown


async def test_what_was_used_last_is_chosen_and_can_be_followed_by_more(people: People) -> None:
    page = await people.person()
    await live(page)
    await choose(page, "countdown")
    then = page.get_by_label("When it succeeds, start")
    await then.select_option("countdown")
    after = page.get_by_role("group", name=re.compile("when it succeeds$"))
    people.expected = ("422",)
    await page.get_by_label("Seconds").first.fill("0")
    await after.get_by_label("Seconds").evaluate("field => { field.removeAttribute('max'); field.value = '99999'; }")
    await page.get_by_label("Name").fill("First")
    await page.get_by_role("button", name="Start task").click()
    await expect(after.locator(".err")).to_contain_text("maximum")
    await after.get_by_label("Seconds").fill("0")
    await page.get_by_role("button", name="Start task").click()
    await expect(after).to_have_count(0)
    await expect(then).to_have_value("")
    await expect(page.locator("[data-list=finished] li")).to_have_count(2)  # the one that follows started by itself
    await page.goto("/")
    await expect(page.get_by_label("What should we do?")).to_have_value("countdown")


async def test_what_follows_is_asked_without_script_too(people: People) -> None:
    page = await people.person(java_script_enabled=False)
    await page.goto("/?workload=countdown")
    await page.get_by_label("Seconds").fill("300")
    await page.get_by_label("When it succeeds, start").select_option("csv_profile")
    await page.get_by_role("button", name="Start task").click()
    after = page.get_by_role("group", name=re.compile("when it succeeds$"))
    await expect(after).to_contain_text("The name of a file that the first task makes")
    await expect(page.get_by_label("Seconds")).to_have_value("300")
    await after.get_by_role("textbox").first.fill("clean.csv")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator("#then")).to_contain_text("Starts when this task has succeeded")


async def test_what_to_expect_follows_what_happens(narrow_people: People) -> None:
    page = await narrow_people.person()
    await choose(page, "countdown")
    await live(page)
    said = page.locator("#start .expect")
    await expect(said).to_contain_text("Next in line: starts any moment now.")
    await start_countdown(page, 300, "Alpha")
    await expect(page.locator("[data-list=active] li", has_text="Alpha")).to_contain_text("%")
    await start_countdown(page, 300, "Beta")
    await expect(said).to_contain_text("1 in line before it")
    for name in ("Beta", "Alpha"):
        await page.get_by_role("button", name=f"Cancel {name}").click()
    await expect(said).to_contain_text("Next in line: starts any moment now.")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_single_keys_are_switched_off_and_on(people: People, script: bool) -> None:
    page = await people.person(java_script_enabled=script)
    await page.goto("/account")
    await page.get_by_label("Off", exact=True).check()
    await page.get_by_role("button", name="Keep this").click()
    await page.wait_for_url("**/account#keyboard")
    await expect(page.get_by_label("Off", exact=True)).to_be_checked()
    if not script:
        return
    await live(page)
    for key in ("?", "n", "/"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url.endswith("/account#keyboard")
    await page.get_by_role("button", name="Keyboard").click()
    dialog = page.get_by_role("dialog", name="Keyboard")
    await expect(dialog).to_contain_text("They are off in this browser.")
    await dialog.get_by_role("button", name="Switch on").click()
    await page.wait_for_url("**/account")
    await page.keyboard.press("?")
    await expect(dialog).to_be_visible()
