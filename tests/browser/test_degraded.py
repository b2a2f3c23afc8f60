"""What people see while a part of the service is away: what it means, in words, without anything else moving."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from app.ops.parts import PARTS
from tests.browser.conftest import People
from tests.browser.steps import choose, live
from tests.integration.processes import Service, taskline
from tests.servers import PostgreSQL, Redis, Server, free_port


@pytest.fixture(scope="module")
def parts() -> Iterator[dict[str, Server]]:
    """Servers of this file alone, to be killed."""
    with PostgreSQL(free_port()).served() as database, Redis(free_port()).served() as events:
        yield {"database": database, "events": events}


@pytest.fixture(scope="module")
def web(parts: dict[str, Server]) -> Iterator[Service]:
    database, events = parts.values()
    assert isinstance(database, PostgreSQL)
    assert isinstance(events, Redis)
    settings: dict[str, Any] = {
        "database_url": database.create_database("taskline"),
        "events_url": events.url,
        "secret_key": secrets.token_hex(32),
    }
    taskline("migrate", **settings)
    with Service("serve", **settings).served() as one:
        yield one


@pytest.fixture
async def page(browser: Browser, web: Service) -> Page:
    people = People(browser, web.url)
    page = await people.person()
    await live(page)
    return page


async def place(page: Page) -> object:
    """Where the heading of the page is."""
    return await page.get_by_role("heading", level=1).bounding_box()


@pytest.mark.parametrize("part", ["database", "events"])
async def test_a_banner_says_what_it_means_and_goes_by_itself(page: Page, parts: dict[str, Server], part: str) -> None:
    banner = page.locator("[data-banner]")
    await expect(banner).to_have_attribute("role", "status")
    await expect(banner).to_be_hidden()
    before = await place(page)
    await asyncio.to_thread(parts[part].kill)
    try:
        await expect(banner).to_have_text(PARTS[part].page, use_inner_text=True)
        assert await place(page) == before, "nothing moves"
        await expect(page.get_by_role("button", name="Reconnect now")).to_be_hidden()
    finally:
        await asyncio.to_thread(parts[part].start)
    await expect(banner).to_be_hidden()
    await expect(page.locator("html")).to_have_attribute("data-conn", "up")


async def test_without_the_database_a_form_keeps_what_was_typed(page: Page, parts: dict[str, Server]) -> None:
    await choose(page, "countdown")
    await page.get_by_label("Seconds").fill("7")
    await page.get_by_label("Name").fill("Kept")
    await asyncio.to_thread(parts["database"].kill)
    try:
        await expect(page.locator("[data-banner]")).to_be_visible()
        await page.get_by_role("button", name="Start task").click()
        await expect(page.locator(".toast")).to_contain_text("Not started")
        await expect(page.get_by_label("Seconds")).to_have_value("7")
        await expect(page.get_by_label("Name")).to_have_value("Kept")
    finally:
        await asyncio.to_thread(parts["database"].start)
    await expect(page.locator("[data-banner]")).to_be_hidden()
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator("[data-list=active] li", has_text="Kept")).to_be_visible()


async def test_a_page_that_was_opened_meanwhile_comes_by_itself(page: Page, parts: dict[str, Server]) -> None:
    await asyncio.to_thread(parts["database"].kill)
    try:
        await page.goto("/tasks")
        await expect(page.get_by_role("heading")).to_have_text("A part of the service does not answer")
    finally:
        await asyncio.to_thread(parts["database"].start)
    await expect(page.get_by_role("heading", name="Tasks", exact=True)).to_be_visible()
