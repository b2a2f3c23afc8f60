"""A tab that is put away, frozen, asleep or cut off is caught up exactly once when it comes back, and never shows what is not true any more."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.browser.devtools import Tab, tab
from tests.browser.steps import PASSWORD
from tests.browser.taskline import Taskline
from tests.faults.proxy import Proxy

WATCH = """
window.heard = []; window.opened = 0;
window.WebSocket = class extends WebSocket {
  constructor(...how) {
    super(...how);
    window.opened += 1;
    this.addEventListener("message", ({ data }) => window.heard.push(JSON.parse(data)));
  }
};
addEventListener("pageshow", ({ persisted }) => { window.persisted = persisted; });
"""
LIVE = "document.documentElement.dataset.conn === 'up'"


class Somebody:
    """A person with a tab, and with a program that starts tasks."""

    def __init__(self, chromium: Tab, http: httpx.AsyncClient, origin: str) -> None:
        self.tab = chromium
        self.origin = origin
        self._http = http
        self.names: list[str] = []

    async def sign_up(self) -> None:
        """In the tab, which is then on Home and live; and by the program."""
        await self.tab.send("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        name = await self.register()
        await self._http.post("/api/v1/session", json={"username": name, "password": PASSWORD})
        await self.tab.until(LIVE)

    async def register(self) -> str:
        """A new account in the tab."""
        name = f"u{uuid4().hex[:12]}"
        await self.tab.go(f"{self.origin}/signup")
        await self.tab.run(
            f"""document.querySelector("[name=username]").value = "{name}"; document.querySelector("[name=password]").value = "{PASSWORD}";
            document.querySelector("main form").requestSubmit();"""
        )
        await self.tab.until(f"location.pathname === '/' && document.documentElement.dataset.user === '{name}'")
        return name

    async def log_out(self) -> None:
        """The page that hears of it leaves for the login page."""
        await self.tab.run("void fetch('/logout', { method: 'POST' })")
        await self.tab.until("location.pathname === '/login'")

    async def run(self, *names: str) -> None:
        """Tasks that end, not started by the page."""
        for name in names:
            body = {"workload": "countdown", "params": {"seconds": 0}, "name": name}
            task = (await self._http.post("/api/v1/tasks", json=body)).json()
            async with asyncio.timeout(15):
                url = task["links"]["self"]
                while (await self._http.get(url)).json()["state"] != "succeeded":  # noqa: ASYNC110  the page is to hear of it, not we
                    await asyncio.sleep(0.05)
        self.names += names

    async def caught_up(self) -> None:
        """The page shows each task as ended, once, and its sockets took each event once, in order."""
        shown = """[...document.querySelectorAll("[data-list=finished] [data-x=name]")].map((one) => one.textContent).sort().join()"""
        await self.tab.until(f"{shown} === '{','.join(sorted(self.names))}'")
        assert await self.tab.run("document.querySelectorAll('[data-list=active] li').length") == 0
        heard = await self.tab.run("window.heard.filter((one) => one.task).map(({ seq }) => seq)")
        assert heard == list(range(1, 3 * len(self.names) + 1))

    async def away(self) -> str:
        """What the page says of the time when it was away."""
        strip = "document.querySelector('[data-away]')"
        return str(await self.tab.run(f"{strip}.hidden ? '' : {strip}.textContent.trim()"))


@pytest.fixture
async def chromium_tab(chromium: Path) -> AsyncIterator[Tab]:
    async with tab(chromium) as one:
        yield one


@pytest.fixture
async def ada(chromium_tab: Tab, taskline_server: str) -> AsyncIterator[Somebody]:
    async with httpx.AsyncClient(base_url=taskline_server, timeout=15) as http:
        one = Somebody(chromium_tab, http, taskline_server)
        await one.sign_up()
        yield one


async def test_40_a_frozen_tab_keeps_no_connection_and_catches_up(ada: Somebody) -> None:
    await ada.run("Before")
    await ada.caught_up()
    await ada.tab.send("Page.setWebLifecycleState", state="frozen")
    await ada.run("Away 1", "Away 2")
    await ada.tab.send("Page.setWebLifecycleState", state="active")
    await ada.tab.until(LIVE)
    await ada.caught_up()
    assert await ada.tab.run("window.opened") == 2
    assert "2 tasks ended." in await ada.away()


async def test_40_a_page_from_the_back_forward_cache_catches_up(ada: Somebody) -> None:
    await ada.tab.without_no_store()
    await ada.tab.go(f"{ada.origin}/?")
    await ada.tab.until(LIVE)
    await ada.run("Before")
    await ada.caught_up()
    await ada.tab.go(f"{ada.origin}/about")
    await ada.run("Away 1", "Away 2")
    await ada.tab.back()
    await ada.tab.until(f"window.persisted === true && {LIVE}")
    await ada.caught_up()
    assert await ada.tab.run("window.opened") == 2
    assert "2 tasks ended." in await ada.away()


async def test_40_a_page_that_the_browser_loads_again_shows_what_is_true(ada: Somebody) -> None:
    """As the service has it: its pages are not kept."""
    await ada.tab.go(f"{ada.origin}/about")
    await ada.run("Away")
    await ada.tab.back()
    await ada.tab.until(f"location.pathname === '/' && {LIVE}")
    assert await ada.tab.run("window.persisted") is False
    assert await ada.tab.run("document.querySelector('[data-list=finished]').textContent.includes('Away')")


async def test_40_a_kept_page_of_somebody_who_logged_out_is_not_shown(ada: Somebody) -> None:
    await ada.tab.without_no_store()
    await ada.tab.go(f"{ada.origin}/?")
    await ada.tab.until(LIVE)
    await ada.tab.go(f"{ada.origin}/about")
    await ada.log_out()
    await ada.tab.back(2)
    await ada.tab.until("location.pathname === '/login' && location.search === '?next=%2F'")


async def test_40_a_kept_page_of_somebody_else_gives_way_to_ones_own(ada: Somebody) -> None:
    await ada.run("Hers")
    await ada.tab.without_no_store()
    await ada.tab.go(f"{ada.origin}/?")
    await ada.tab.until(LIVE)
    await ada.log_out()
    bob = await ada.register()
    await ada.tab.back(3)
    await ada.tab.until(f"location.href.endsWith('?') && document.documentElement.dataset.user === '{bob}' && {LIVE}")
    assert not await ada.tab.run("document.body.textContent.includes('Hers')")


async def test_40_a_machine_that_slept_finds_its_dead_connection(ada: Somebody, taskline: Taskline) -> None:
    async with Proxy(taskline.port) as proxy:
        await ada.tab.go(f"http://127.0.0.1:{proxy.port}/?")
        await ada.tab.until(LIVE)
        proxy.black_hole()  # nobody closes anything: the network forgot the connection
        await ada.run("Away 1", "Away 2")
        await ada.tab.run("{ const now = Date.now; Date.now = () => now() + 3_600_000; }")
        await ada.tab.until("document.documentElement.dataset.conn === 'down'")
        proxy.restore()
        await ada.tab.until(LIVE)
        await ada.caught_up()
        assert "2 tasks ended." in await ada.away()
