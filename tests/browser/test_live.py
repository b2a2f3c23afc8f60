"""What comes by itself: every tab of a person hears of every step, also after the connection was lost."""

import asyncio
import re

from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.steps import live, start_countdown
from tests.browser.taskline import Taskline


async def test_the_page_of_a_running_task_follows_it_to_the_end(people: People) -> None:
    page = await people.person()
    await live(page)
    await start_countdown(page, 4, "Four")
    await page.locator("[data-list=active]").get_by_role("link", name="Four").click()
    await live(page)
    await expect(page.locator(".pill").first).to_have_text("Running")
    await expect(page.locator("progress")).to_be_visible()
    await expect(page.locator(".pill").first).to_have_text("Finished")
    await expect(page.locator("[data-announce]")).to_have_text("Four is ready")
    await expect(page.locator(".toast")).to_have_count(0)  # the page shows it
    await expect(page.locator("[data-timeline]")).to_contain_text("Submitted")
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No tasks yet.")).to_be_visible()


async def test_every_tab_hears_and_a_cancel_shows_at_once(people: People) -> None:
    page = await people.person()
    other = await page.context.new_page()
    await other.goto("/tasks")
    await live(page)
    await live(other)
    for one in (page, other):  # where the websocket goes on: nothing falls between page and socket
        await expect(one.locator("html")).to_have_attribute("data-seq", "0")
        await expect(one.locator("html")).to_have_attribute("data-epoch", re.compile("."))
    await start_countdown(page, 300, "Long one")
    await expect(other.get_by_role("link", name="1 new")).to_be_visible()
    await other.get_by_role("link", name="1 new").click()
    row = other.locator("[data-list=all] li", has_text="Long one")
    await expect(row).to_contain_text("Running")
    await page.get_by_role("button", name="Cancel Long one").click()
    await expect(page.locator(".toast", has_text="Long one was cancelled")).to_be_visible()
    await expect(row).to_contain_text("Cancelled")
    await expect(other.locator(".toast", has_text="Long one was cancelled")).to_be_visible()


async def test_a_lost_connection_is_said_and_made_up_for(people: People, taskline: Taskline) -> None:
    page = await people.person()
    people.expected = ("WebSocket", "ERR_CONNECTION_REFUSED", "net::ERR")
    await live(page)
    await start_countdown(page, 2, "Meanwhile")
    await expect(page.locator("[data-list=active] li", has_text="Meanwhile")).to_be_visible()
    await asyncio.to_thread(taskline.kill)
    banner = page.locator("[data-banner]")
    await expect(banner).to_be_visible()
    await expect(banner).to_contain_text("Connection lost")
    button = page.get_by_role("button", name="Reconnect now")
    async with page.expect_websocket(timeout=5_000):
        await button.click()
    await asyncio.to_thread(taskline.start)
    # The page may have come back by itself meanwhile: then the button is hidden, and pressing it changes nothing.
    await page.get_by_role("button", name="Reconnect now", include_hidden=True).dispatch_event("click")
    await live(page)
    await expect(banner).to_be_hidden()
    await expect(page.locator("[data-list=finished] li", has_text="Meanwhile")).to_be_visible(timeout=60_000)


async def test_logging_out_ends_the_other_tabs_too(people: People) -> None:
    page = await people.person()
    other = await page.context.new_page()
    await other.goto("/tasks")
    await live(other)
    await page.get_by_role("button", name="Log out").click()
    await expect(other).to_have_url(re.compile(r"/login\?next=%2Ftasks$"), timeout=40_000)


async def test_a_position_of_another_history_is_replaced_by_what_is_true(people: People) -> None:
    page = await people.person()
    await live(page)
    await start_countdown(page, 300, "True all the time")
    await expect(page.locator("[data-list=active] li")).to_have_count(1)
    # Before the scripts run, as if the page had come from before the database was replaced.
    await page.add_init_script(
        """document.addEventListener("readystatechange", () => {
            if (document.readyState === "interactive") Object.assign(document.documentElement.dataset, { seq: 7, epoch: "elsewhere" });
        });"""
    )
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-epoch", "elsewhere")
    await live(page)
    await expect(page.locator("[data-list=active] li", has_text="True all the time")).to_be_visible()
    await page.get_by_role("button", name="Cancel True all the time").click()
    await expect(page.locator(".toast", has_text="True all the time was cancelled")).to_be_visible()


async def test_many_endings_at_once_are_three_toasts(people: People) -> None:
    page = await people.person()
    await live(page)
    body = {"workload": "countdown", "params": {"seconds": 0}}
    await asyncio.gather(*(page.request.post("/api/v1/tasks", data={**body, "name": f"Task {at}"}) for at in range(6)))
    await expect(page.locator("[data-list=finished] li")).to_have_count(6)
    await expect(page.locator(".toast")).to_have_count(3)
    await expect(page.locator(".toast").last).to_contain_text("4 more tasks ended")
    await page.locator(".toast").first.get_by_role("button", name="Dismiss").click()
    await expect(page.locator(".toast")).to_have_count(2)


async def test_what_is_unread_is_counted_in_the_title_and_dots_the_icon(people: People) -> None:
    page = await people.person()
    await live(page)
    await start_countdown(page, 0, "Unseen")
    await expect(page).to_have_title("(1) Home · Taskline")
    dotted = await page.locator("link[rel=icon]").get_attribute("href")
    assert dotted
    assert "favicon-dot" in dotted
    await page.goto("/notifications")
    await page.get_by_role("button", name="Mark all read").click()
    await page.goto("/")
    await expect(page).to_have_title("Home · Taskline")
    assert "favicon-dot" not in (await page.locator("link[rel=icon]").get_attribute("href") or "")
