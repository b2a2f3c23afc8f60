"""What a page holds on to, once all that can go is gone."""

from dataclasses import dataclass
from typing import Self

from playwright.async_api import CDPSession, Page

from tests.browser.crowd import dismiss


@dataclass(frozen=True)
class Held:
    """Bytes of scripts' objects, nodes of documents (also of those that hang nowhere), listeners."""

    heap: int
    nodes: int
    listeners: int

    def __str__(self) -> str:
        return f"{self.heap / 1e6:10.2f} MB {self.nodes:10,} {self.listeners:10,}"

    def growth(self, before: Self) -> float:
        """By what part it holds more than before, of that which grew most."""
        pairs = ((self.heap, before.heap), (self.nodes, before.nodes), (self.listeners, before.listeners))
        return max(now / then - 1 for now, then in pairs)


class Scales:
    """Weighs a page, again and again."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self._page = page
        self._session = session

    @classmethod
    async def of(cls, page: Page) -> Self:
        """Scales for a page of Chromium."""
        session = await page.context.new_cdp_session(page)
        for domain in ("Performance", "HeapProfiler"):
            await session.send(f"{domain}.enable")
        return cls(page, session)

    async def weigh(self) -> Held:
        """What it holds now, without toasts and garbage."""
        await dismiss(self._page)
        for _ in range(2):  # what the first run frees may have held others
            await self._session.send("HeapProfiler.collectGarbage")
        told = (await self._session.send("Performance.getMetrics"))["metrics"]
        values = {one["name"]: int(one["value"]) for one in told}
        return Held(values["JSHeapUsedSize"], values["Nodes"], values["JSEventListeners"])
