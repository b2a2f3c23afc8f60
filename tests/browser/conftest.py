"""A running service, Chromium, and pages that fail the test when the browser complains."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from app.assets import static_dir
from tests.browser.steps import PASSWORD
from tests.browser.taskline import Taskline
from tests.servers import free_port

PATIENCE = 15_000  # ms


@pytest.fixture(scope="session")
def taskline() -> Iterator[Taskline]:
    """The service. A test that stops it starts it again."""
    with Taskline(free_port()).served() as server:
        yield server


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file large enough that its progress is seen."""
    header, *rows = (static_dir() / "examples" / "orders.csv").read_text().splitlines()
    path = tmp_path_factory.mktemp("files") / "orders-2026.csv"
    path.write_text("\n".join([header, *rows * 250]) + "\n")
    return path


@pytest.fixture
def taskline_server(taskline: Taskline) -> str:
    """Where the service answers: an origin."""
    taskline.start()
    return taskline.url


@pytest.fixture(scope="module")
def narrow() -> Iterator[str]:
    """A service that holds back, one for each file: one thing at a time, three waiting tasks for each person, short uploads, few sign-ins. Its origin."""
    settings = {
        "TASKLINE_LIGHT_SLOTS": "1",
        "TASKLINE_LIMIT_WAITING": "3",
        "TASKLINE_LIMIT_UPLOAD": "1000",
        "TASKLINE_LIMIT_SIGN_INS": "2/hour",
    }
    with Taskline(free_port(), settings).served() as server:
        yield server.url


@pytest.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class People:
    """Makes people: each has a browser profile of their own. What a browser complains about is kept in `complaints`."""

    browser: Browser
    server: str
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    contexts: list[BrowserContext] = field(default_factory=list)

    async def stranger(self, **options: Any) -> Page:
        """A page of somebody who is not signed in."""
        context = await self.browser.new_context(
            base_url=self.server, **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        context.set_default_timeout(PATIENCE)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.contexts.append(context)
        return await context.new_page()

    async def person(self, username: str | None = None, **options: Any) -> Page:
        """A page of somebody who has just signed up by the form; on Home."""
        page = await self.stranger(**options)
        await page.goto("/signup")
        await page.get_by_label("Username").fill(username or f"u{uuid4().hex[:12]}")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign up").click()
        await page.wait_for_url(f"{self.server}/")
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in self.expected):
            self.complaints.append(f"{message.text} ({message.page.url if message.page else ''})")


@asynccontextmanager
async def people_of(browser: Browser, server: str) -> AsyncIterator[People]:
    """People of a service. Raises where a browser complained: an error of a script, a violation of the content security policy."""
    made = People(browser, server)
    yield made
    for context in made.contexts:
        await context.close()
    assert made.complaints == []


@pytest.fixture
async def people(browser: Browser, taskline_server: str) -> AsyncIterator[People]:
    """People with browsers, of the service that the tests share."""
    async with people_of(browser, taskline_server) as made:
        yield made


@pytest.fixture
async def narrow_people(browser: Browser, narrow: str) -> AsyncIterator[People]:
    """People of the service that holds back."""
    async with people_of(browser, narrow) as made:
        yield made
