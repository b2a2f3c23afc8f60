"""Every page in each of its states: for people with other eyes, ears and hands by axe-core, light and dark, wide and on a phone; and for fingers."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import axe
from tests.browser.conftest import People, people_of
from tests.browser.furnished import BROKEN, SETTINGS, furnish, over, start, upload
from tests.browser.steps import live
from tests.browser.taskline import Taskline
from tests.servers import free_port

WIDE: Final = (1280, 900)
PHONE: Final = (390, 844)
LOOKS: Final = [(scheme, size) for size in (WIDE, PHONE) for scheme in ("light", "dark")]

STRANGERS: Final = {
    "welcome": "/",
    "sign-up": "/signup",
    "log-in": "/login",
    "about": "/about",
    "reference": "/docs",
    "nothing": "/nowhere",
}
NEWCOMERS: Final = {
    "home": "/",
    "tasks": "/tasks",
    "notifications": "/notifications",
    "schedules": "/schedules",
    "account": "/account",
}
# Addresses, or the names of tasks of `furnish`. A new page is one line more.
FURNISHED: Final = {
    "home": "/",
    "form of a table": "/?workload=csv_profile",
    "form of a comparison": "/?workload=compare_csv",
    "form of pictures": "/?workload=make_thumbnails",
    "form of a model": "/?workload=train_model",
    "run again with changes": "again",
    "finished with charts": "finished",
    "finished with tables": "compared",
    "finished with pictures": "thumbnails",
    "failed": "failed",
    "cancelled": "cancelled",
    "running": "running",
    "running before another": "chained",
    "waiting": "waiting",
    "scheduled": "scheduled",
    "tasks": "/tasks",
    "tasks that fit": "/tasks?state=failed&q=visitors",
    "no task that fits": "/tasks?q=nothing+like+it",
    "notifications": "/notifications",
    "all notifications": "/notifications?show=all",
    "schedules": "/schedules",
    "account": "/account",
    "about": "/about",
    "reference": "/docs",
    "operator": "/operator",  # the first who signs up is one
    "nothing": "/nowhere",
}
# What fingers press in bars, forms and lists. Links within a text, and those of breadcrumbs, are as high as their line.
TARGETS: Final = "main :is(.btn, select, .seg label, .chips a, .tabs a, input:not([type=hidden], [type=checkbox], [type=radio], [type=file])), .bar a, .nav a, .bar button"
SAID: Final = "(one) => `${one.outerHTML.slice(0, 120)}: ${one.getBoundingClientRect().height} px`"


@dataclass(frozen=True)
class Furnished:
    """A service, somebody with something of everything there, and somebody with nothing yet."""

    server: str
    known: Any  # cookies of the one
    new: Any  # of the other
    tasks: dict[str, str]


@pytest.fixture(scope="module")
def crowded() -> Iterator[Taskline]:
    with Taskline(free_port(), SETTINGS).served() as server:
        yield server


@pytest.fixture(scope="module")
async def furnished(browser: Browser, crowded: Taskline) -> Furnished:
    async with people_of(browser, crowded.url) as people:
        page, newcomer = await people.person("ada-lovelace"), await people.person("newcomer")
        tasks = await furnish(page.request)
        tasks["again"] = f"/?again={tasks['failed'].removeprefix('/tasks/')}"
        known, new = await page.context.storage_state(), await newcomer.context.storage_state()
    return Furnished(crowded.url, known, new, tasks)


@pytest.fixture
async def visitors(browser: Browser, furnished: Furnished) -> AsyncIterator[People]:
    """People whose browsers may complain of nothing, as all stories have it."""
    async with people_of(browser, furnished.server) as made:
        made.expected = ("404",)
        yield made


async def check(page: Page) -> None:
    """The page, in all four looks."""
    found: list[str] = []
    for scheme, (width, height) in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        found += [f"{scheme}, {width} px: {one}" for one in await axe.violations(page)]
        if (width, height) == PHONE:
            if (shown := await page.evaluate("document.documentElement.scrollWidth")) != width:
                found.append(f"{scheme}: {shown} px wide instead of {width}")
            small = f"(all) => all.filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 39.5).map({SAID})"
            found += [
                f"{scheme}: too small for a finger: {one}" for one in await page.locator(TARGETS).evaluate_all(small)
            ]
    assert not found, "\n".join(sorted(set(found)))


@pytest.mark.parametrize("name", STRANGERS)
async def test_of_strangers(visitors: People, name: str) -> None:
    page = await visitors.stranger()
    await page.goto(STRANGERS[name])
    await check(page)


@pytest.mark.parametrize("name", NEWCOMERS)
async def test_of_newcomers(visitors: People, furnished: Furnished, name: str) -> None:
    page = await visitors.stranger(storage_state=furnished.new)
    await page.goto(NEWCOMERS[name])
    await live(page)
    await check(page)


@pytest.mark.parametrize("name", FURNISHED)
async def test_of_people_with_tasks(visitors: People, furnished: Furnished, name: str) -> None:
    page = await visitors.stranger(storage_state=furnished.known)
    await page.goto(furnished.tasks.get(FURNISHED[name], FURNISHED[name]))
    await live(page)
    await check(page)


async def test_of_what_comes_and_goes(visitors: People, furnished: Furnished) -> None:
    """A refused form; a toast and a task that is being cancelled; the list of keys; no connection, and what was missed meanwhile."""
    visitors.expected = ("422",)
    page = await visitors.stranger(storage_state=furnished.new)
    await page.goto("/?workload=countdown")
    await live(page)
    await page.locator("form[data-start]").evaluate("form => { form.noValidate = true; }")
    await page.get_by_label("Seconds").fill("999999")
    await page.get_by_role("button", name="Start task").click()
    await expect(page.locator("form[data-start] [role=alert]")).to_be_visible()
    await check(page)

    file = {"file": await upload(page.request, "visitors.csv", BROKEN)}
    await start(page.request, "csv_profile", "Visitors", file)
    await expect(page.locator(".toast", has_text="Visitors failed")).to_be_visible()
    await start(page.request, "countdown", "Not meant", {"seconds": 600})
    await page.route("**/cancel", lambda _: None)  # the answer never comes
    await page.get_by_role("button", name="Cancel Not meant").click()
    await expect(page.get_by_role("button", name="Cancel Not meant")).to_be_disabled()
    await check(page)

    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await check(page)
    await page.keyboard.press("Escape")

    await page.evaluate("document.dispatchEvent(new Event('freeze'))")
    await over(page.request, await start(page.request, "csv_profile", "Missed", file))
    await expect(page.locator("[data-banner]")).to_contain_text("Connection lost")
    await check(page)
    await page.evaluate("document.dispatchEvent(new Event('resume'))")
    await expect(page.locator("[data-away]")).to_contain_text("1 task ended.")
    await check(page)


async def test_the_vendored_axe_is_what_was_published() -> None:
    lines = (axe.VENDOR / "hashes.txt").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert axe.hashes() == listed


async def test_axe_finds_what_is_wrong(visitors: People) -> None:
    page = await visitors.stranger()
    await page.goto("/login")
    await page.evaluate("document.querySelector('label[for=username]').remove()")
    assert any(one.startswith("label: #username") for one in await axe.violations(page))
