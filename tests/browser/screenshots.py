"""`make screenshots`: the pictures of README, docs and the welcome page, taken from the running service; light and dark, wide and on a phone.

Each is `docs/img/PAGE-SCHEME.webp`, or `PAGE-SCHEME-phone.webp`. Those of Home are the welcome page's own too, in `static/img/`.
"""

import asyncio
import io
import re
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from app.assets import static_dir
from tests.browser.conftest import People, people_of
from tests.browser.furnished import SETTINGS, furnish, start
from tests.browser.steps import live
from tests.browser.taskline import ROOT, Taskline
from tests.servers import free_port
from tests.servers.programs import program

IMAGES: Final = ROOT / "docs" / "img"
WELCOMING: Final = ROOT / "static" / "img"
LARGEST: Final = 150_000  # bytes of a picture
QUALITY: Final = 84  # of WebP: text stays sharp, and a page takes a tenth of its PNG
COUNTDOWNS: Final = (300, 60)  # seconds: both still run when Home is taken

# Besides Home: the page, its address or the task of `furnish`, and how high the wide picture is.
SHOTS: Final = (
    ("task", "finished", 1180),
    ("failed", "failed", 900),
    ("compared", "compared", 1180),
    ("waiting", "waiting", 900),
    ("tasks", "/tasks", 900),
    ("notifications", "/notifications", 900),
    ("schedules", "/schedules", 900),
    ("account", "/account", 1180),
    ("reference", "/docs", 900),
    ("about", "/about", 900),
    ("operator", "/operator", 1180),
)
STRANGERS: Final = (("welcome", "/", 900), ("sign-up", "/signup", 900), ("nothing", "/nowhere", 900))
PHONE: Final = (390, 844)
NARROWER: Final = (720, 562)  # of Home, for phones, and for screens of the usual density


async def take(page: Page, name: str, height: int) -> None:
    """Four pictures of the page that is open."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        for end, (wide, high) in (("", (1280, height)), ("-phone", PHONE)):
            await page.set_viewport_size({"width": wide, "height": high})
            await page.evaluate("document.fonts.ready.then(() => scrollTo(0, 0))")
            taken = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
            save(IMAGES / f"{name}-{scheme}{end}.webp", small(taken))
            if name == "home" and not end:
                save(WELCOMING / f"{name}-{scheme}.webp", small(taken))
                save(WELCOMING / f"{name}-{scheme}-{NARROWER[0]}.webp", small(taken.resize(NARROWER)))


async def home(page: Page, orders: Path) -> None:
    """Home as somebody has it who is about to start a task, when another has just ended."""
    await page.goto("/?workload=csv_profile")
    await live(page)
    await page.locator("input[type=file]").set_input_files(orders)
    await expect(page.locator("file-drop.done")).to_be_visible()
    shorter = page.locator("[data-list=active] li", has_text="Tea for everybody").locator("[data-x=lead]")
    await expect(shorter).to_have_text(re.compile(r"^[3-9]\d%$"), timeout=60_000)
    file = await page.locator("file-drop input[type=hidden]").input_value()
    await start(page.request, "csv_profile", "Orders of 2026", {"file": file})
    await expect(page.locator(".toast", has_text="Orders of 2026 is ready")).to_be_visible()
    await take(page, "home", 1000)  # as templates/welcome.html has it


def small(picture: Image.Image) -> bytes:
    """The picture as WebP."""
    packed = io.BytesIO()
    picture.save(packed, "WEBP", quality=QUALITY, method=6)
    return packed.getvalue()


def save(path: Path, picture: bytes) -> None:
    """Write a picture. Raises ValueError where it is too large for a page that people load."""
    if len(picture) > LARGEST:
        raise ValueError(f"{path.name} has {len(picture):,} bytes; {LARGEST:,} are the most")
    path.write_bytes(picture)
    print(f"{path.relative_to(ROOT)}  {len(picture):,}")


async def everything(people: People, server: Taskline) -> None:
    """All pictures of the service."""
    people.expected = ("404",)
    how = {"timezone_id": "UTC", "locale": "en-GB", "reduced_motion": "reduce"}
    page = await people.person("ada-lovelace", **how)
    tasks = await furnish(page.request, COUNTDOWNS)
    with tempfile.TemporaryDirectory() as folder:
        orders = Path(folder) / "orders-2026.csv"
        orders.write_bytes((static_dir() / "examples" / "orders.csv").read_bytes())
        await home(page, orders)
    for name, address, height in SHOTS:
        await page.goto(tasks.get(address, address))
        await live(page)
        await take(page, name, height)
    await page.close()
    await asyncio.to_thread(server.restart)  # so that the welcome page shows the picture just taken
    stranger = await people.stranger(**how)
    for name, address, height in STRANGERS:
        await stranger.goto(address)
        await take(stranger, name, height)


async def main() -> None:
    """Start a service and a browser, and take all pictures."""
    with Taskline(free_port(), SETTINGS).served() as server:
        async with async_playwright() as playwright:
            browser: Browser = await playwright.chromium.launch(
                executable_path=program("chromium"), args=["--no-sandbox"]
            )
            async with people_of(browser, server.url) as people:
                await everything(people, server)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
