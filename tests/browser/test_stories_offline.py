"""A browser without a network for a minute, while tasks end: told once in each tab when it is back, and never again."""

from playwright.async_api import Page, expect

from tests.browser.conftest import People
from tests.browser.furnished import over, start
from tests.browser.steps import live

# The sockets of the page, and what they have taken: the tests' own, as Playwright's clock stands in for the page's.
WATCH = """
window.heard = [];
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...how) {
    super(...how);
    window.sockets.push(this);
    this.addEventListener("message", ({ data }) => window.heard.push(JSON.parse(data)));
  }
};
"""


async def watched(page: Page) -> Page:
    """A new tab of the same person, on Home and live, whose clock the test drives."""
    tab = await page.context.new_page()
    await tab.clock.install()
    await tab.add_init_script(WATCH)
    await tab.goto("/")
    await live(tab)
    return tab


async def events(page: Page) -> list[int]:
    """Where in the log the events stand that the page has taken, in the order of their arrival."""
    taken: list[int] = await page.evaluate("window.heard.filter((one) => one.task).map(({ seq }) => seq)")
    return taken


async def test_a_minute_without_a_network_is_caught_up_once(people: People) -> None:
    people.expected = ("WebSocket", "net::ERR")
    first = await people.person()
    tabs = [await watched(first) for _ in range(2)]
    names = ("Away 1", "Away 2", "Away 3")

    await first.context.set_offline(True)
    for tab in tabs:
        await expect(tab.locator("html")).to_have_attribute("data-conn", "up")
        await tab.clock.fast_forward("01:00")  # long enough for the page to ask whether somebody is there
        await tab.clock.fast_forward("00:10")  # and to give up
        await expect(tab.locator("[data-banner]")).to_contain_text("Connection lost")
    addresses = [await start(first.request, "countdown", name, {"seconds": 0}) for name in names]
    for address in addresses:
        await over(first.request, address)
    for tab in tabs:
        await tab.clock.fast_forward("00:30")
        assert await events(tab) == []
        await expect(tab.locator("[data-list=finished] li")).to_have_count(0)

    await first.context.set_offline(False)
    for tab in tabs:
        await live(tab)
        strip = tab.locator("[data-away]")
        await expect(strip).to_contain_text("3 tasks ended.")
        await expect(tab.locator("[data-list=finished] [data-x=name]")).to_have_count(3)
        await expect(tab.locator("[data-banner]")).to_be_hidden()
        assert await events(tab) == list(range(1, 10))
        await expect(tab.locator(".toast")).to_have_count(0)  # the strip has said it
        await strip.get_by_role("button", name="Dismiss").click()
        await expect(strip).to_be_hidden()

    # Away once more, without anything that ends: nothing is told again.
    for tab in tabs:
        sockets = await tab.evaluate("window.sockets.length")
        await tab.evaluate("window.sockets.at(-1).close()")
        await tab.clock.fast_forward("00:30")
        await tab.wait_for_function("before => window.sockets.length > before", arg=sockets)
        await live(tab)
        await expect(tab.locator("[data-away]")).to_be_hidden()
        assert await events(tab) == list(range(1, 10))
