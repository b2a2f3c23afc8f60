"""Two people with two tabs each: what one starts is told to both of their tabs, each event once, and to nobody else's."""

from typing import Any

import orjson
from playwright.async_api import Page, WebSocket, expect

from tests.browser.conftest import People
from tests.browser.steps import live, start_countdown


class Tab:
    """A tab, and the frames that its websockets have taken."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.heard: list[dict[str, Any]] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: self.heard.append(orjson.loads(payload)))

    @property
    def events(self) -> list[tuple[int, str]]:
        """The numbered ones: position and kind."""
        return [(one["seq"], one["type"]) for one in self.heard if "task" in one]


async def tabs_of(people: People) -> tuple[Tab, Tab]:
    """Home and the list of tasks of somebody new, both live."""
    first = Tab(await people.person())
    await first.page.reload()  # the websocket of the first load was opened before anybody listened
    second = Tab(await first.page.context.new_page())
    await second.page.goto("/tasks")
    for one in (first, second):
        await live(one.page)
    return first, second


async def test_both_tabs_of_one_hear_of_it_and_no_tab_of_the_other(people: People) -> None:
    people.expected = ("404",)
    ada, eve = await tabs_of(people), await tabs_of(people)
    await start_countdown(ada[0].page, 1, "Ada's own")
    await start_countdown(eve[0].page, 1, "Eve's own")
    for mine, name, theirs in ((ada, "Ada's own", "Eve's own"), (eve, "Eve's own", "Ada's own")):
        for tab in mine:
            await expect(tab.page.locator(".toast", has_text=f"{name} is ready")).to_be_visible()
            assert tab.events == [(1, "task.queued"), (2, "task.started"), (3, "task.succeeded")]
            assert theirs not in orjson.dumps(tab.heard).decode()
            await expect(tab.page.locator("body")).not_to_contain_text(theirs)

    address = await ada[0].page.locator("[data-list=finished] a.name").get_attribute("href")
    assert address
    for path in (address, f"/api/v1{address}"):
        assert (await eve[0].page.request.get(path)).status == 404
    await eve[0].page.goto(address)
    await expect(eve[0].page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


async def test_one_who_leaves_hears_nothing_more_in_any_tab(people: People) -> None:
    ada = await tabs_of(people)
    eve = await people.person()
    await live(eve)
    await ada[0].page.get_by_role("button", name="Log out").click()
    for tab in ada:
        await expect(tab.page.locator("html[data-user]")).to_have_count(0)
    before = [len(tab.heard) for tab in ada]
    await start_countdown(eve, 0, "After she left")
    await expect(eve.locator(".toast", has_text="After she left is ready")).to_be_visible()
    assert [len(tab.heard) for tab in ada] == before
