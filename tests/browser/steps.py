"""What people do on the pages, step by step."""

from playwright.async_api import Page, expect

PASSWORD = "a sentence nobody guesses"
expect.set_options(timeout=15_000)


async def choose(page: Page, workload: str) -> None:
    """Pick a workload on Home."""
    await page.get_by_label("What should we do?").select_option(workload)
    await expect(page.locator(f"[data-fields={workload}]")).to_be_visible()


async def start_countdown(page: Page, seconds: float, name: str) -> None:
    """Start a countdown from the form on Home."""
    await choose(page, "countdown")
    await page.get_by_label("Seconds").fill(str(seconds))
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Start task").click()


async def live(page: Page) -> None:
    """Wait until the page's websocket stands."""
    await expect(page.locator("html")).to_have_attribute("data-conn", "up")
