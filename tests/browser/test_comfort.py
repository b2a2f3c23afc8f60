"""The theme of a browser, the keys, and what the account page does about the password and the sessions."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import People
from tests.browser.steps import PASSWORD, choose, live

ANOTHER = "another sentence nobody guesses"
GROUND = {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 18, 23)"}
OUT = re.compile(r"/login\?next=")


async def ground(page: Page, theme: str) -> None:
    """The page is light, or dark."""
    await expect(page.locator("body")).to_have_css("background-color", GROUND[theme])


async def take_theme(page: Page, word: str) -> None:
    """Choose a theme on the account page."""
    await page.goto("/account")
    await page.get_by_label(word, exact=True).check()
    await page.get_by_role("button", name="Use this theme").click()
    await page.wait_for_url("**/account#appearance")
    await expect(page.get_by_label(word, exact=True)).to_be_checked()


async def log_in(page: Page, username: str) -> None:
    """Log somebody in who has an account; on Home."""
    await page.goto("/login")
    await page.get_by_label("Username").fill(username)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name=f"Hello, {username}")).to_be_visible()


async def change_password(page: Page, current: str, new: str) -> None:
    """Send the form of the account page."""
    await page.goto("/account")
    await page.get_by_label("Current password").fill(current)
    await page.get_by_label("New password").fill(new)
    await page.get_by_role("button", name="Change password").click()


class TestTheme:
    @pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
    async def test_is_chosen_against_the_system_and_survives(self, people: People, script: bool) -> None:
        page = await people.person(color_scheme="light", java_script_enabled=script)
        await ground(page, "light")
        await take_theme(page, "Dark")
        await ground(page, "dark")
        await page.reload()
        await ground(page, "dark")
        await page.goto("/tasks")
        await ground(page, "dark")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("link", name="Sign up").first).to_be_visible()
        await ground(page, "dark")

    async def test_of_the_system_follows_it(self, people: People) -> None:
        page = await people.person(color_scheme="dark")
        await ground(page, "dark")
        await take_theme(page, "Light")
        await ground(page, "light")
        await take_theme(page, "System")
        await ground(page, "dark")
        await page.emulate_media(color_scheme="light")
        await ground(page, "light")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_the_account_page_fits_a_phone(self, people: People, scheme: str) -> None:
        page = await people.person(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        await page.goto("/account")
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        small = await page.locator("main :is(.btn, .seg label):visible").evaluate_all(
            "all => all.filter((one) => one.getBoundingClientRect().height < 39.5).map((one) => one.textContent)"
        )
        assert small == []
        await page.get_by_role("button", name="Keyboard").click()
        box = await page.get_by_role("dialog", name="Keyboard").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


class TestKeys:
    async def test_lead_to_pages_and_fields(self, people: People) -> None:
        page = await people.person()
        search, workload = page.get_by_label("Search by name"), page.get_by_label("What should we do?")
        await page.goto("/about")
        await page.keyboard.press("g")
        await page.keyboard.press("t")
        await page.wait_for_url("**/tasks")
        await page.keyboard.press("/")
        await expect(search).to_be_focused()
        await expect(search).to_have_value("")
        await page.goto("/about")
        await page.keyboard.press("/")
        await page.wait_for_url("**/tasks#q")
        await expect(search).to_be_focused()
        await page.goto("/about")
        await page.keyboard.press("n")
        await page.wait_for_url("**/#w")
        await expect(workload).to_be_focused()
        await page.goto("/tasks")
        await page.keyboard.press("g")
        await page.keyboard.press("h")
        await page.wait_for_url(f"{people.server}/")
        await expect(workload).not_to_be_focused()
        await page.keyboard.press("n")
        await expect(workload).to_be_focused()

    async def test_are_text_in_a_field(self, people: People) -> None:
        page = await people.person()
        await choose(page, "countdown")
        name = page.get_by_label("Name")
        await name.press_sequentially("ghgtn/?")
        await expect(name).to_have_value("ghgtn/?")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.url == f"{people.server}/"

    async def test_mean_nothing_with_others_or_apart(self, people: People) -> None:
        page = await people.person()
        await page.goto("/about")
        for key in ("Control+g", "h", "Alt+n", "Meta+/", "t", "g", "g", "?"):
            await page.keyboard.press(key)
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        await page.keyboard.press("Escape")
        for key in ("h", "?"):  # another key than the second one ended the pair that g began
            await page.keyboard.press(key)
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        assert page.url == f"{people.server}/about"

    async def test_are_listed_and_the_focus_returns(self, people: People) -> None:
        page = await people.person()
        dialog = page.get_by_role("dialog", name="Keyboard")
        await page.goto("/account")
        link = page.get_by_role("link", name="About")
        await link.focus()
        await page.keyboard.press("?")
        await expect(dialog).to_be_visible()
        await expect(dialog.locator("dt")).to_have_text(
            ["Search tasks", "Start a task", "Home", "Tasks", "Show these keys"]
        )
        await expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(link).to_be_focused()
        button = page.get_by_role("button", name="Keyboard")
        await button.click()
        await expect(dialog).to_be_visible()
        await dialog.get_by_role("button", name="Close").click()
        await expect(dialog).to_be_hidden()
        await expect(button).to_be_focused()

    async def test_of_strangers_are_those_that_lead_somewhere(self, people: People) -> None:
        page = await people.stranger()
        await page.goto("/about")
        for key in ("/", "n", "?"):
            await page.keyboard.press(key)
        await expect(page.get_by_role("dialog", name="Keyboard").locator("dt")).to_have_text(
            ["Home", "Show these keys"]
        )
        assert page.url == f"{people.server}/about"

    async def test_load_nothing_before_one_is_pressed(self, people: People) -> None:
        page = await people.person()
        await live(page)
        loaded = "performance.getEntriesByType('resource').map(({ name }) => name.split('/').pop())"
        assert {"keys.js", "keys.css"}.isdisjoint(await page.evaluate(loaded))
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        assert {"keys.js", "keys.css"} <= set(await page.evaluate(loaded))


class TestAccount:
    async def test_another_password_logs_other_browsers_out(self, people: People) -> None:
        here, there = await people.person("comfort-password"), await people.stranger()
        await log_in(there, "comfort-password")
        await live(there)
        await change_password(here, PASSWORD, ANOTHER)
        await expect(here.get_by_text("Your password is changed.")).to_be_visible()
        await expect(there).to_have_url(OUT)  # told over its websocket, not by a click
        await live(here)
        await here.reload()
        await expect(here.get_by_text("Your password is changed.")).to_have_count(0)
        await expect(here.get_by_text("This one")).to_be_visible()

    async def test_a_wrong_one_is_said_at_the_field(self, people: People) -> None:
        people.expected = ("422",)
        page = await people.person()
        await change_password(page, "not the password", ANOTHER)
        field = page.get_by_label("Current password")
        await expect(field).to_be_focused()
        await expect(field).to_have_accessible_description("This is not your current password.")
        await expect(field).to_have_value("")

    async def test_what_is_typed_can_be_looked_at(self, people: People) -> None:
        page = await people.person()
        await page.goto("/account")
        field = page.get_by_label("New password")
        await page.locator(".withbtn", has=field).get_by_role("button", name="Show").click()
        await expect(field).to_have_attribute("type", "text")
        await expect(page.get_by_label("Current password")).to_have_attribute("type", "password")

    async def test_one_session_is_logged_out_from_another(self, people: People) -> None:
        here, there = await people.person("comfort-one"), await people.stranger()
        await log_in(there, "comfort-one")
        await live(there)
        await here.goto("/account")
        rows = here.locator("#sessions li")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("This one")
        await expect(rows.last).to_contain_text("Chrome or Chromium on Linux")
        await rows.last.get_by_role("button", name="Log out").click()
        await expect(rows).to_have_count(1)
        await expect(there).to_have_url(OUT)
        await here.goto("/")
        await live(here)

    async def test_everywhere_else_and_without_javascript(self, people: People) -> None:
        here = await people.person("comfort-all", java_script_enabled=False)
        others = [await people.stranger() for _ in range(2)]
        for other in others:
            await log_in(other, "comfort-all")
            await live(other)
        await here.goto("/account")
        await here.get_by_role("button", name="Log out everywhere else").click()
        await expect(here.locator("#sessions li")).to_have_count(1)
        await expect(here.get_by_role("button", name="Log out everywhere else")).to_have_count(0)
        for other in others:
            await expect(other).to_have_url(OUT)
