"""How long tasks wait and run, as people read it: before they start one, while it waits, while it runs; with script and without."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from app.web import wording
from tests.browser.conftest import People
from tests.browser.steps import choose, live, start_countdown

STARTS = re.compile(r"starts in about \d+ (s|min)")
SECONDS = {"small": 0.4, "some": 32.0, "more": 240.0}


async def estimates(page: Page, code: str, *values: Any) -> Any:
    """What a function of the page's module makes of some values."""
    source = await page.get_attribute("script[type=module]", "src")
    assert source
    call = f"async ([url, ...values]) => {{ const {{ due, held, rest }} = await import(url); return ({code})(...values); }}"
    return await page.evaluate(call, [source.replace("app.js", "estimates.js"), *values])


async def shown_after_a_reload(page: Page, text: str | re.Pattern[str]) -> None:
    """The form says it: what was counted is kept for some seconds."""
    said = page.locator("#start .expect")
    async with asyncio.timeout(30):
        while not re.search(text, await said.inner_text()):
            await page.reload()


async def test_before_while_it_waits_and_while_it_runs(narrow_people: People) -> None:
    page = await narrow_people.person()
    await choose(page, "countdown")
    await expect(page.locator("#start .expect")).to_contain_text("Next in line: starts any moment now.")
    await live(page)
    await start_countdown(page, 1, "Warm")
    await expect(page.locator("[data-list=finished] li", has_text="Warm")).to_be_visible()
    await page.goto("/?workload=countdown")
    await shown_after_a_reload(page, "Usually takes [12] s")

    await live(page)
    await start_countdown(page, 120, "Alpha")
    alpha = page.locator("[data-list=active] li", has_text="Alpha")
    await expect(alpha.locator("[data-x=rest]")).to_have_text(re.compile(r"^, about \d+ (s|min) left$"))
    await expect(alpha.locator("[data-x=kind]")).to_have_text("elapsed")
    # Its first moments are over, in which neither its progress nor that it has a slot is known everywhere.
    await expect(alpha.locator("[data-x=lead]")).to_have_text(re.compile(r"^([3-9]|\d\d)%$"))
    await start_countdown(page, 1, "Beta")
    beta = page.locator("[data-list=active] li", has_text="Beta")
    await expect(beta.locator("[data-x=lead]")).to_have_text("1st in line")
    await expect(beta.locator("[data-x=kind]")).to_have_text("waiting")
    await expect(beta.locator("[data-x=rest]")).to_have_text(STARTS)
    await shown_after_a_reload(page, "1 in line before it: starts in about")

    plain = await narrow_people.person(java_script_enabled=False)
    await plain.goto("/?workload=countdown")
    await expect(plain.locator("#start .expect")).to_have_text(
        re.compile(rf"Usually takes .*1 in line before it: {STARTS.pattern}\.")
    )
    await plain.get_by_label("What should we do?").select_option("csv_profile")
    await plain.get_by_role("button", name="Show its form").click()
    await expect(plain.locator("#start .expect")).to_have_text("Next in line: starts any moment now.")

    await page.get_by_role("button", name="Cancel Alpha").click()
    await expect(page.locator("[data-list=active] li")).to_have_count(0)


async def test_the_workload_brings_what_to_expect_of_it(narrow_people: People) -> None:
    page = await narrow_people.person()
    await live(page)
    await start_countdown(page, 60, "Alpha")
    await expect(page.locator("[data-list=active] li", has_text="Alpha")).to_contain_text("%")
    await page.goto("/?workload=countdown")
    await shown_after_a_reload(page, "Next in line: starts in")
    await choose(page, "csv_profile")
    await expect(page.locator("#start .expect")).to_have_text("Next in line: starts any moment now.")
    await choose(page, "countdown")
    await expect(page.locator("#start .expect")).to_contain_text("Next in line: starts in")
    await page.get_by_role("button", name="Cancel Alpha").click()
    await expect(page.locator("[data-list=active] li")).to_have_count(0)


async def test_a_limit_is_named_before_it_refuses(narrow_people: People) -> None:
    narrow_people.expected = ("429",)
    page = await narrow_people.person()
    await live(page)
    for name in ("Alpha", "Beta", "Gamma", "Delta"):
        await start_countdown(page, 300, name)
        await expect(page.locator("[data-list=active] li", has_text=name)).to_be_visible()
        if name == "Alpha":  # which waits no more, and for long enough that it is not counted either
            await expect(page.locator("[data-x=lead]").first).to_have_text(re.compile(r"^[1-9]%$"))
    full = "You have 3 tasks waiting, the most at once. Cancel some, or wait until some have started."
    await page.goto("/?workload=countdown")
    await shown_after_a_reload(page, full)
    await live(page)
    await start_countdown(page, 1, "Epsilon")
    await expect(page.locator(".toast")).to_contain_text(full)
    for name in ("Delta", "Gamma", "Beta", "Alpha"):
        await page.get_by_role("button", name=f"Cancel {name}").click()
    await expect(page.locator("[data-list=active] li")).to_have_count(0)


async def test_neither_place_nor_start_is_said_to_be_later_for_the_same_reason(people: People) -> None:
    page = await people.stranger()
    await page.goto("/about")

    def wait(position: int | None, estimate: float | None, at: float, reason: str = "line") -> dict[str, Any]:
        return {"reason": reason, "message": f"{position}", "position": position, "estimate_s": estimate, "at": at}

    before = wait(3, 40, 1_000)
    for after, said in (
        (wait(5, 90, 6_000), wait(3, 40, 1_000)),  # others came before it
        (wait(None, None, 6_000), wait(3, 40, 1_000)),
        (wait(2, 90, 6_000), wait(2, 40, 1_000)),  # it moves up, and what runs takes longer
        (wait(2, 10, 6_000), wait(2, 10, 6_000)),
        (wait(3, 36, 6_000), wait(3, 40, 1_000)),  # a second later
        (wait(5, 90, 6_000, "broker_down"), wait(5, 90, 6_000, "broker_down")),  # another reason is said
    ):
        assert await estimates(page, "held", before, after) == said
    assert await estimates(page, "held", None, before) == before
    assert await estimates(page, "held", wait(None, None, 1_000), before) == before


@pytest.mark.parametrize(
    ("state", "left", "said"),
    [
        ("running", -5.0, "any moment now"),
        ("running", -60.0, ""),  # the guess was wrong
        ("running", SECONDS["small"], "any moment now"),
        ("running", SECONDS["some"], f"{wording.about(SECONDS['some'])} left"),
        ("queued", -5.0, f"starts {wording.soon(-5.0)}"),
        ("queued", SECONDS["small"], f"starts {wording.soon(SECONDS['small'])}"),
        ("queued", SECONDS["more"], f"starts {wording.soon(SECONDS['more'])}"),
    ],
)
async def test_page_and_script_say_what_is_left_alike(people: People, state: str, left: float, said: str) -> None:
    page = await people.stranger()
    await page.goto("/about")
    assert await estimates(page, "rest", {"state": state}, left) == said


@pytest.mark.parametrize(
    ("card", "usual", "left"),
    [
        ({"progress": {"fraction": 0.25}}, "10", 180),  # how far it is tells more than what is usual
        ({"progress": {"fraction": None}}, "160", 100),
        ({"progress": {"fraction": 0.01}}, "160", 100),
        ({"progress": {"fraction": 0.01}}, "10", 5940),
        ({"progress": {"fraction": None}}, "10", None),
        ({"progress": {"fraction": None}}, None, None),
        ({"progress": {"fraction": 0.25}, "cancel_requested_at": "2026-11-24T10:00:50Z"}, "10", None),
    ],
)
async def test_a_run_is_due_by_its_progress_or_by_what_is_usual(
    people: People, card: dict[str, Any], usual: str | None, left: float | None
) -> None:
    page = await people.stranger()
    await page.goto("/about")
    running = {"state": "running", "started_at": "2026-11-24T10:00:00Z", "cancel_requested_at": None, **card}
    now = "+new Date('2026-11-24T10:01:00Z')"
    found = await estimates(page, f"(card, usual) => (due(card, {now}, null, usual) - {now}) / 1000", running, usual)
    assert found == (float("inf") if left is None else pytest.approx(left))
