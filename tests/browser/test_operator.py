"""The operator page: what an operator sees and does there, live and on a phone, and that it is not there for anybody else."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import People, people_of
from tests.browser.steps import choose, live, start_countdown
from tests.browser.taskline import Taskline
from tests.integration.processes import taskline
from tests.servers import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[Taskline]:
    """A service of its own: an operator sees and stops what everybody does."""
    with Taskline(free_port()).served() as made:
        yield made


@pytest.fixture
async def crowd(browser: Browser, server: Taskline) -> AsyncIterator[People]:
    async with people_of(browser, server.url) as made:
        made.expected = ("404",)
        yield made


async def operator(crowd: People, server: Taskline, **options: Any) -> Page:
    """A page of somebody who operates the service, on Home."""
    name = f"op{uuid4().hex[:8]}"
    page = await crowd.person(name, **options)
    taskline("user", "promote", name, data_dir=str(server.folder / "data"))
    await shown_to(page, operators=True)
    return page


async def shown_to(page: Page, *, operators: bool) -> None:
    """Load until the bar says so: a session knows its role within five seconds."""
    async with asyncio.timeout(15):
        while bool(await page.get_by_role("link", name="Operator").count()) is not operators:
            await page.reload()


async def test_an_operator_watches_pauses_and_starts_failures_again(crowd: People, server: Taskline) -> None:
    ada = await crowd.person(f"ada{uuid4().hex[:8]}")  # the first account of all, or a later one
    taskline("user", "demote", await ada.locator(".user").inner_text(), data_dir=str(server.folder / "data"))
    eve = await operator(crowd, server, reduced_motion="reduce")  # so that no colour is on its way to another
    await shown_to(ada, operators=False)
    for page in (eve, ada):
        await live(page)

    await expect(ada.get_by_role("link", name="Operator")).to_have_count(0)
    answer = await ada.goto("/operator")
    assert answer
    assert answer.status == 404
    await expect(ada.get_by_text("There is nothing here").first).to_be_visible()

    await eve.get_by_role("link", name="Operator").click()
    await expect(eve.get_by_role("heading", level=1)).to_have_text("Operator")
    await expect(eve.locator("[data-list=workers] li")).to_contain_text(["At work"])
    await expect(eve.get_by_text("No worker is running")).to_be_hidden()
    await eve.get_by_role("button", name="Pause Countdown").click()
    row = eve.locator("[data-list=queues] tr", has_text="countdown")
    await expect(row.locator("[data-x=who]")).to_have_text(re.compile(r"^Paused by op\w+$"))

    await ada.goto("/?workload=countdown")
    await live(ada)
    await expect(ada.locator("#start .expect")).to_contain_text("Paused by an operator since")
    await start_countdown(ada, 0, "Alpha")
    waiting = ada.locator("[data-list=active] li", has_text="Alpha")
    await expect(waiting).to_contain_text("Paused by an operator since")
    await expect(row.locator("[data-x=waiting]")).to_have_text("1")  # the open page hears of it

    await eve.get_by_role("button", name="Resume Countdown").click()
    await expect(ada.locator("[data-list=finished] li", has_text="Alpha")).to_be_visible()
    await expect(row.locator("[data-x=paused]")).to_be_hidden()

    await choose(ada, "countdown")
    await ada.get_by_label("Seconds").fill("0")
    await ada.get_by_label("Fail").check()
    await ada.get_by_label("Name").fill("Payroll")
    await ada.get_by_role("button", name="Start task").click()
    await expect(ada.locator("[data-list=finished] li", has_text="Payroll")).to_have_count(1)
    failure = eve.locator("[data-list=failures] li")
    await expect(failure).to_contain_text(["The countdown failed, because it was asked to."])
    await expect(failure).to_contain_text(["1 task"])
    assert "Payroll" not in await eve.content()
    for scheme in ("light", "dark"):
        await eve.emulate_media(color_scheme=scheme)
        assert await violations(eve) == [], scheme
    await failure.get_by_role("link", name="Retry").click()
    await expect(eve.get_by_text("Start 1 failed task of Countdown again?")).to_be_visible()
    await expect(eve.get_by_role("button", name="Start again")).to_be_focused()
    assert await violations(eve) == []
    await eve.get_by_role("button", name="Start again").click()
    await expect(eve.get_by_text("1 task started again.")).to_be_visible()
    await expect(ada.locator("[data-list=finished] li", has_text="Payroll")).to_have_count(2)
    await eve.reload()
    await expect(eve.get_by_text("1 task started again.")).to_have_count(0)
    assert await eve.locator("[data-x=chart] g").count() == 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_and_works_without_script(crowd: People, server: Taskline, scheme: str) -> None:
    phone = {"width": 390, "height": 844}
    page = await operator(crowd, server, viewport=phone, color_scheme=scheme, java_script_enabled=False)
    await page.get_by_role("link", name="Operator").click()
    await page.get_by_role("button", name="Pause Make thumbnails").click()
    await expect(page.get_by_role("button", name="Resume Make thumbnails")).to_be_visible()
    await page.get_by_role("button", name="Resume Make thumbnails").click()
    await expect(page.get_by_role("button", name="Pause Make thumbnails")).to_be_visible()
    box = await page.locator("main").bounding_box()
    assert box
    assert box["width"] == phone["width"]
    for one in await page.locator("main .btn:visible, .nav a:visible").all():
        place = await one.bounding_box()
        assert place
        assert place["height"] > 39.5
    last = await page.locator(".nav a").last.bounding_box()
    assert last
    assert last["x"] + last["width"] <= phone["width"]
