"""The programs of docs/events.md, run as they stand there."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, async_playwright

from tests.integration.people import PASSWORD, Person, person
from tests.integration.processes import Service

PAGE: Final = Path(__file__).parents[2] / "docs" / "events.md"
SOON: Final = 20.0  # seconds
STEPS: Final = ("task.queued", "task.started", "task.succeeded")


def block(language: str) -> str:
    """The page's one block in a language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def service() -> Iterator[Service]:
    """One to be killed and restarted."""
    with closing(Service(log_level="warning")) as one:
        one.start()
        yield one
        assert one.errors() == ""


@contextlib.asynccontextmanager
async def running(program: str, *words: str, **environment: str) -> AsyncIterator[asyncio.StreamReader]:
    """What a program prints, while it runs."""
    process = await asyncio.create_subprocess_exec(
        *(program, *words), env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield process.stdout
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def line(printed: asyncio.StreamReader) -> str:
    async with asyncio.timeout(SOON):
        return (await printed.readline()).decode().rstrip("\n")


async def do(who: Person, service: Service, name: str) -> None:
    """Start a task that ends at once."""
    await who.submit(service.url, "countdown", {"seconds": 0}, name=name)


async def test_the_python_program_prints_each_event_once_over_a_kill_and_a_restart(service: Service) -> None:
    async with person(service.url) as who:
        account = {"TASKLINE": service.url, "TASKLINE_USER": who.name, "TASKLINE_PASSWORD": PASSWORD}
        async with running(sys.executable, "-c", block("python"), **account) as printed:
            assert await line(printed) == f"following {who.name}"
            seq = 0
            for name, happens in (("first", None), ("second", service.kill), ("third", service.stop)):
                if happens:
                    await asyncio.to_thread(happens)
                    await asyncio.to_thread(service.start)
                await do(who, service, name)
                for kind in STEPS:
                    seq += 1
                    while (said := await line(printed)) == f"following {who.name}":
                        pass
                    assert said == f"{seq} {kind} {name}"


async def test_the_script_of_a_page_hears_each_event_once_over_a_restart(service: Service, chromium: Path) -> None:
    async with async_playwright() as playwright, person(service.url) as who:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = await browser.new_page(base_url=service.url)
            await page.context.add_cookies(
                [{"name": name, "value": value, "url": service.url} for name, value in who.http.cookies.items()]
            )
            await page.goto("/docs")
            await page.evaluate(f"() => {{ {block('js')} window.heard = []; follow((frame) => heard.push(frame)); }}")
            await heard(page, 1)
            await do(who, service, "first")
            await heard(page, 4)
            await asyncio.to_thread(service.restart)
            await do(who, service, "second")
            frames = await heard(page, 8)
        finally:
            await browser.close()
    assert [frame["type"] for frame in frames] == ["welcome", *STEPS, "welcome", *STEPS]
    assert [frame["seq"] for frame in frames if "at" in frame] == list(range(1, 7))


async def heard(page: Page, count: int) -> list[dict[str, object]]:
    """The frames, once there are so many; progress is left out."""
    events = "heard.filter((frame) => frame.type !== 'task.progress')"
    await page.wait_for_function(f"() => {events}.length >= {count}", timeout=SOON * 1000)
    found: list[dict[str, object]] = await page.evaluate(f"() => {events}")
    return found
