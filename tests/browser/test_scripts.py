"""The scripts' own unit tests, in the browser that the other tests have anyway."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route

from app.web import wording
from tests.browser.conftest import People

TESTS = Path(__file__).with_name("store.test.js")


async def module(page: Page, name: str) -> str:
    """The address of a script of the service."""
    source = await page.get_attribute("script[type=module]", "src")
    assert source
    return source.replace("app.js", name)


async def test_the_reducer(people: People) -> None:
    page = await people.stranger()

    async def send(route: Route) -> None:
        await route.fulfill(path=TESTS, content_type="text/javascript")

    await page.route("**/store.test.js", send)
    await page.goto("/about")
    run = """async ([tests, store]) => (await import(tests)).run(await import(store))"""
    results: list[tuple[str, str | None]] = await page.evaluate(
        run, [await module(page, "store.test.js"), await module(page, "store.js")]
    )
    assert len(results) >= 14
    assert [f"{name}: {problem}" for name, problem in results if problem] == []


@pytest.mark.parametrize(
    ("function", "values", "python"),
    [
        ("duration", [0, 59.9, 134.2, 3700, -3], wording.duration),
        ("length", [-1, 0, 0.04, 0.0999, 0.1, 0.42, 9.94, 10, 134.2], wording.length),
        ("about", [3, 32, 54, 60, 89, 240, 5399, 7200], wording.about),
        ("size", [0, 999, 1000, 96_400, 4_200_000, 3.2e12], wording.size),
        ("ordinal", [1, 2, 3, 4, 11, 12, 13, 21, 102, 111], wording.ordinal),
    ],
)
async def test_page_and_script_say_it_alike(people: People, function: str, values: list[float], python: Any) -> None:
    page = await people.stranger()
    await page.goto("/about")
    said = await page.evaluate(
        "async ([url, name, values]) => values.map((await import(url))[name])",
        [await module(page, "format.js"), function, values],
    )
    assert said == [python(value) for value in values]


async def test_how_long_ago_is_said_alike(people: People) -> None:
    page = await people.stranger(timezone_id="UTC")
    await page.goto("/about")
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    moments = [now - timedelta(seconds=seconds) for seconds in (-5, 44, 46, 1560, 7300, 90000, 3 * 86400, 30 * 86400)]
    code = "async ([url, then, now]) => { const { ago } = await import(url); return then.map((one) => ago(new Date(one), new Date(now))); }"
    said = await page.evaluate(
        code, [await module(page, "format.js"), [one.isoformat() for one in moments], now.isoformat()]
    )
    assert said == [wording.ago(one, now) for one in moments]
