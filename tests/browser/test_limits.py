"""What people see where the service holds back: a narrow one, with small limits."""

from playwright.async_api import FilePayload, expect

from tests.browser.conftest import People
from tests.browser.steps import choose, live, start_countdown


async def test_too_many_sign_ins_say_when_to_try_again(narrow_people: People) -> None:
    narrow_people.expected = ("429", "422")
    page = await narrow_people.stranger()
    for _ in range(3):
        await page.goto("/login")
        await page.get_by_label("Username").fill("somebody")
        await page.get_by_label("Password", exact=True).fill("not the right one")
        async with page.expect_response("**/login") as answer:
            await page.get_by_role("button", name="Log in").click()
    response = await answer.value
    assert response.status == 429
    assert int(response.headers["retry-after"]) > 0
    await expect(page.get_by_role("alert")).to_contain_text("Try again in")


async def test_a_file_that_is_too_large_is_refused_on_the_form(narrow_people: People) -> None:
    narrow_people.expected = ("413",)
    page = await narrow_people.person()
    await choose(page, "csv_profile")
    large = FilePayload(name="large.csv", mimeType="text/csv", buffer=b"a,b\n" * 1000)
    await page.locator("input[type=file]").set_input_files(large)
    await expect(page.locator("file-drop")).to_contain_text("large")
    await expect(page.locator("file-drop")).to_contain_text("Choose it again.")


async def test_a_task_that_waits_says_its_place_and_moves_up(narrow_people: People) -> None:
    page = await narrow_people.person()
    await live(page)
    for name in ("Alpha", "Beta", "Gamma"):
        await start_countdown(page, 300, name)
        await expect(page.locator("[data-list=active] li", has_text=name)).to_be_visible()
    gamma = page.locator("[data-list=active] li", has_text="Gamma")
    await expect(page.locator("[data-list=active] li", has_text="Alpha")).to_contain_text("%")
    await expect(gamma).to_contain_text("2nd in line")
    await gamma.get_by_role("link", name="Gamma").click()
    await expect(page.locator(".pill").first).to_have_text("Waiting")
    await page.goto("/")
    await page.get_by_role("button", name="Cancel Beta").click()
    await expect(gamma).to_contain_text("1st in line")
    await page.get_by_role("button", name="Cancel Alpha").click()
    await expect(gamma).to_contain_text("%")
    await page.get_by_role("button", name="Cancel Gamma").click()
    await expect(page.locator("[data-list=active] li")).to_have_count(0)
