"""Every page on a phone and on a desk, and the pages of those who are not signed in."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.steps import live, start_countdown


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_is_wider_than_a_phone(people: People, scheme: str) -> None:
    page = await people.person(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    await live(page)
    await start_countdown(page, 0, "A name that is long enough to need more than one line on a phone, or to be cut")
    await expect(page.locator(".toast")).to_be_visible()
    own = await page.locator(".toast a").get_attribute("href")
    for path in ("/", "/tasks", own or "", "/about", "/docs", "/nowhere"):
        people.expected = ("404",)
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
        small = await page.locator("main .btn:visible, .nav a:visible").evaluate_all(
            "all => all.filter((one) => one.getBoundingClientRect().height < 39.5).map((one) => one.textContent)"
        )
        assert small == [], path


async def test_pages_of_strangers(people: People) -> None:
    page = await people.stranger()
    people.expected = ("404",)
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("hear the moment it is done")
    assert await page.locator(".shot img").evaluate("image => image.complete && image.naturalWidth > 0")
    await page.goto("/about")
    await expect(page.locator(".parts-list").first).to_contain_text("Database")
    await page.goto("/docs")
    await expect(page.get_by_role("heading", name="Websocket")).to_be_visible()
    await page.goto("/nowhere")
    await expect(page.get_by_text("There is nothing here").first).to_be_visible()
    await expect(page.locator(".request-id code")).not_to_be_empty()
    await page.goto("/tasks")
    await expect(page).to_have_url(re.compile(r"/login\?next=/tasks$"))


async def test_home_takes_little_of_the_network(people: People) -> None:
    page = await people.person()
    await live(page)
    await start_countdown(page, 0, "One that has ended")
    session = await page.context.new_cdp_session(page)
    received: list[float] = []
    session.on("Network.loadingFinished", lambda told: received.append(told["encodedDataLength"]))
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await page.reload(wait_until="load")
    await live(page)
    assert len(received) > 15, "the page, styles, scripts, icons and the font"
    assert sum(received) < 100_000, sum(received)
