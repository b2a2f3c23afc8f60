"""The number on the bell, the page behind it, and notifications of the browser: the same in every tab, and nobody else's."""

import asyncio
import re
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import People
from tests.browser.steps import live, start_countdown

# A tab that says what it would have shown, and that can be put out of sight.
STAGED = """
window.told = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title) { window.told.push(title); }
  close() {}
};
window.away = false;
Object.defineProperty(Document.prototype, "hidden", { get: () => window.away });
"""


def bell(page: Page) -> Locator:
    return page.locator("[data-bell]")


async def counts(page: Page, unread: int, title: str) -> None:
    """The bar, the title and the icon all say so."""
    await expect(bell(page)).to_have_attribute(
        "aria-label", f"Notifications, {unread} unread" if unread else "Notifications"
    )
    badge = bell(page).locator("b")
    if unread:
        await expect(badge).to_have_text(str(unread))
    await expect(badge).to_be_visible(visible=unread > 0)
    await expect(page).to_have_title(f"({unread}) {title}" if unread else title)
    icon = "favicon-dot.svg" if unread else "favicon.svg"
    await expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile(f"/{re.escape(icon)}$"))


async def end(page: Page, name: str) -> None:
    """A task of the page's person that ends; not started by the page."""
    body = {"workload": "countdown", "params": {"seconds": 0}, "name": name}
    assert (await page.request.post("/api/v1/tasks", data=body)).status == 202


async def sight(page: Page, *, away: bool) -> None:
    """Put the tab out of sight, or into it."""
    await page.evaluate("away => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }", away)


async def held(page: Page, lock: str, count: int) -> None:
    """Wait until so many tabs hold the lock."""
    told = "([lock, count]) => navigator.locks.query().then(({ held }) => held.filter(({ name }) => name === lock).length === count)"
    await page.wait_for_function(told, arg=[lock, count])


async def test_reading_in_one_tab_clears_the_others_and_nobody_elses(people: People) -> None:
    page, eve = await people.person(), await people.person()
    other = await page.context.new_page()
    await other.goto("/tasks")
    for one in (page, other, eve):
        await live(one)
    await counts(page, 0, "Home · Taskline")
    for name in ("Alpha", "Beta"):
        await start_countdown(page, 0, name)
        await expect(page.locator(".toast", has_text=f"{name} is ready")).to_be_visible()
    await end(eve, "Hers")
    await counts(page, 2, "Home · Taskline")
    await counts(other, 2, "Tasks · Taskline")
    await counts(eve, 1, "Home · Taskline")

    await bell(page).click()
    await expect(page.locator("[data-notice]")).to_have_text(
        [re.compile("Unread: Beta is ready"), re.compile("Unread: Alpha is ready")]
    )
    await expect(page.get_by_role("heading", name="Today")).to_be_visible()
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.get_by_role("heading", name="All caught up")).to_be_visible()
    await counts(page, 0, "Notifications · Taskline")
    await counts(other, 0, "Tasks · Taskline")
    await counts(eve, 1, "Home · Taskline")
    await eve.goto("/notifications")
    await expect(eve.locator("[data-notice]")).to_have_text([re.compile("Hers is ready")])

    await page.get_by_role("link", name="All", exact=True).click()
    await page.get_by_role("link", name="Alpha is ready").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Alpha")


async def test_an_open_page_of_notifications_moves_nothing_and_follows_other_tabs(people: People) -> None:
    page = await people.person()
    await live(page)
    await end(page, "First")
    await counts(page, 1, "Home · Taskline")
    other = await page.context.new_page()
    for one in (page, other):
        await one.goto("/notifications?show=all")
        await live(one)
    await end(page, "Second")
    await expect(page.get_by_role("link", name="1 new")).to_be_visible()
    await expect(page.locator("[data-notice]")).to_have_count(1)
    # What has ended since this page was made is not on it, so it is not marked.
    await other.get_by_role("button", name="Mark all read").click()
    await counts(page, 1, "Notifications · Taskline")
    await expect(page.locator("[data-notice].fresh")).to_have_count(0)
    await page.get_by_role("link", name="1 new").click()
    await expect(page.locator("[data-notice].fresh")).to_contain_text(["Second is ready"])
    await expect(page.locator("[data-notice]")).to_have_count(2)


async def test_what_is_muted_says_nothing(people: People) -> None:
    page = await people.person()
    await page.goto("/notifications")
    await page.get_by_role("button", name="Mute Countdown", exact=True).click()
    await expect(page.get_by_role("button", name="Unmute Countdown")).to_be_visible()
    await page.goto("/")
    await live(page)
    await start_countdown(page, 0, "Quiet")
    await expect(page.locator("[data-list=finished] li", has_text="Quiet")).to_be_visible()
    await expect(page.locator(".toast")).to_have_count(0)
    await counts(page, 0, "Home · Taskline")
    await page.goto("/notifications")
    await expect(page.get_by_role("heading", name="All caught up")).to_be_visible()
    await page.get_by_role("button", name="Unmute Countdown").click()
    await expect(page.locator("[data-notice]")).to_contain_text(["Quiet is ready"])
    await counts(page, 1, "Notifications · Taskline")


async def test_without_script_the_number_is_there_and_can_be_cleared(people: People) -> None:
    page = await people.person(java_script_enabled=False)
    await page.goto("/?workload=countdown")
    await page.get_by_label("Seconds").fill("0")
    await page.get_by_label("Name").fill("Plain")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator(".pill").first).to_have_text("Finished")  # the page loads again by itself
    await expect(bell(page)).to_have_attribute("aria-label", "Notifications, 1 unread")
    await expect(bell(page).locator("b")).to_have_text("1")
    await bell(page).click()
    await expect(page.get_by_role("link", name="Unread: Plain is ready")).to_be_visible()
    await expect(page.get_by_role("button", name="Notify me")).to_be_hidden()
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.get_by_role("heading", name="All caught up")).to_be_visible()
    await expect(bell(page)).to_have_attribute("aria-label", "Notifications")
    await page.get_by_role("link", name="Show all").click()
    await expect(page.get_by_role("link", name="Plain is ready")).to_be_visible()
    await page.get_by_role("button", name="Mute Countdown", exact=True).click()
    await expect(page.get_by_role("button", name="Unmute Countdown")).to_be_visible()


async def test_one_tab_shows_what_ends_while_none_is_looked_at(people: People) -> None:
    first = await people.person()
    await first.context.add_init_script(STAGED)
    second = await first.context.new_page()
    await second.goto("/tasks")
    await live(second)
    await first.goto("/notifications")
    await live(first)
    await first.get_by_role("button", name="Notify me").click()
    await expect(first.get_by_role("button", name="Stop notifying me")).to_be_visible()
    await held(first, "taskline.watched", 2)  # the other tab has heard of it too

    await sight(first, away=True)
    await held(first, "taskline.watched", 1)
    await end(first, "Watched")
    for one in (first, second):
        await expect(bell(one)).to_have_attribute("aria-label", "Notifications, 1 unread")
    await sight(second, away=True)
    await held(first, "taskline.watched", 0)
    await end(first, "Unwatched")
    speaker, other = await in_order_of_telling(first, second)
    await end(first, "Again")
    await speaker.wait_for_function("() => window.told.length === 2")
    await expect(bell(other)).to_have_attribute("aria-label", "Notifications, 3 unread")
    assert await speaker.evaluate("window.told") == ["Unwatched is ready", "Again is ready"]
    assert await other.evaluate("window.told") == []

    await speaker.close()
    await held(other, "taskline.speaker", 1)
    await end(other, "Later")
    await other.wait_for_function("() => window.told.length === 1")
    assert await other.evaluate("window.told") == ["Later is ready"]


async def in_order_of_telling(one: Page, other: Page) -> tuple[Page, Page]:
    """The two, with the one that shows a notification first: whichever of them took that upon itself."""
    shows = {asyncio.create_task(page.wait_for_function("() => window.told.length")): page for page in (one, other)}
    done, waiting = await asyncio.wait(shows, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    speaker = shows[done.pop()]
    return speaker, other if speaker is one else one


async def test_permission_is_asked_for_by_the_press_alone(people: People) -> None:
    page = await people.person()
    await page.add_init_script(
        "window.Notification.requestPermission = async () => { window.asked = (window.asked ?? 0) + 1; return 'denied'; };"
    )
    await page.goto("/notifications")
    await live(page)
    assert await page.evaluate("window.asked") is None
    await page.get_by_role("button", name="Notify me").click()
    await page.wait_for_function("() => window.asked === 1")
    await expect(page.get_by_role("button", name="Notify me")).to_be_visible()
    assert await page.evaluate("localStorage.getItem('taskline.notify')") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_phone(people: People, scheme: str) -> None:
    page = await people.person(
        f"a-long-name-{uuid4().hex[:12]}", viewport={"width": 390, "height": 844}, color_scheme=scheme
    )
    await live(page)
    await end(page, "A name that is long enough to need more than one line on a phone, or to be cut " + "x" * 60)
    await expect(bell(page).locator("b")).to_have_text("1")
    for path in ("/notifications", "/notifications?show=all"):
        await page.goto(path)
        await live(page)
        await expect(page.locator("[data-notify]")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
        small = await page.locator("main .btn:visible, main .chips a:visible, [data-bell]").evaluate_all(
            "all => all.filter((one) => one.getBoundingClientRect().height < 39.5).map((one) => one.textContent)"
        )
        assert small == [], path
