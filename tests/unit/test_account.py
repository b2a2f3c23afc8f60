"""The account page and the theme, over the whole application in this process: password, sessions, cookie."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.migrate import upgrade
from app.resources import open_resources
from app.settings import Settings

PASSWORD, ANOTHER = "a long walk at night", "a short swim at noon"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0"
ORIGIN = "http://taskline.test"


class Service:
    """The application, and browsers that keep their own cookies."""

    def __init__(self, app: httpx.ASGITransport) -> None:
        self._transport = app

    @asynccontextmanager
    async def browser(self, user_agent: str = FIREFOX, name: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """A browser; logged in where a name is given, which is signed up if it is new."""
        headers = {"user-agent": user_agent, "accept": "text/html"}
        async with httpx.AsyncClient(transport=self._transport, base_url=ORIGIN, headers=headers) as client:
            for path in ("/signup", "/login") if name else ():
                if (await client.post(path, data={"username": name, "password": PASSWORD})).status_code == 303:
                    break
            yield client


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    settings = Settings.from_environment({}, data_dir=tmp_path)
    await upgrade(settings.database_url)
    async with open_resources(settings, secret_key="k" * 48) as resources:
        yield Service(httpx.ASGITransport(create_app(resources)))


async def change(client: httpx.AsyncClient, current: str, new: str) -> httpx.Response:
    return await client.post("/account/password", data={"username": "ada", "current": current, "new": new})


async def is_in(client: httpx.AsyncClient) -> bool:
    return (await client.get("/api/v1/me")).status_code == 200


def buttons(page: str) -> dict[str, str]:
    """Which form logs which session out, by what the button says."""
    forms = re.findall(r'action="([^"]+)"><button class="btn quiet sm" aria-label="(Log out [^"]+)"', page)
    return {label: action for action, label in forms}


class TestPassword:
    async def test_is_changed_and_the_other_browsers_are_out(self, service: Service) -> None:
        async with service.browser(name="ada") as here, service.browser(name="ada") as there:
            assert await is_in(there)
            answer = await change(here, PASSWORD, ANOTHER)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account#password")
            assert await is_in(here)
            assert not await is_in(there)
            assert "Your password is changed" in (await here.get("/account")).text
            assert "Your password is changed" not in (await here.get("/account")).text
        async with service.browser() as client:
            old, new = [
                (await client.post("/login", data={"username": "ada", "password": password})).status_code
                for password in (PASSWORD, ANOTHER)
            ]
            assert (old, new) == (422, 303)

    @pytest.mark.parametrize(
        ("current", "new", "field", "says"),
        [
            ("a wrong guess", ANOTHER, "current", "This is not your current password."),
            (PASSWORD, "7 chars", "new", "Use at least 8 characters."),
            (PASSWORD, PASSWORD, "new", "Choose another than the current one."),
        ],
    )
    async def test_what_is_wrong_stands_at_its_field(
        self, service: Service, current: str, new: str, field: str, says: str
    ) -> None:
        async with service.browser(name="ada") as here, service.browser(name="ada") as there:
            answer = await change(here, current, new)
            assert answer.status_code == 422
            assert re.search(rf'id="{field}-e">.*{re.escape(says)}', answer.text)
            assert re.search(
                rf'<input[^>]* id="{field}"[^>]* aria-invalid="true" aria-describedby="{field}-e"', answer.text
            )
            assert current not in answer.text
            assert new not in answer.text
            assert await is_in(there)

    async def test_guessing_is_stopped(self, service: Service) -> None:
        async with service.browser(name="ada") as here:
            statuses = [(await change(here, f"guess number {at}", ANOTHER)).status_code for at in range(10)]
            assert statuses == [422] * 10
            answer = await change(here, PASSWORD, ANOTHER)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert "Too many tries; wait a little. Try again in" in answer.text

    async def test_password_managers_know_the_fields(self, service: Service) -> None:
        async with service.browser(name="ada") as here:
            page = (await here.get("/account")).text
        for field in ("username", "current-password", "new-password"):
            assert len(re.findall(rf'<input[^>]* autocomplete="?{field}"?[ >]', page)) == 1

    async def test_needs_a_session(self, service: Service) -> None:
        async with service.browser() as stranger:
            for path in ("/account/password", "/account/sessions/end-others", "/account/sessions/abc/end"):
                answer = await stranger.post(path, data={"current": PASSWORD, "new": ANOTHER})
                assert (answer.status_code, answer.headers["location"]) == (303, "/login")

    async def test_no_other_site_changes_it(self, service: Service) -> None:
        async with service.browser(name="ada") as here:
            here.headers["origin"] = "http://evil.example"
            assert (await change(here, PASSWORD, ANOTHER)).status_code == 403


class TestSessions:
    async def test_are_told_apart_and_this_one_is_marked(self, service: Service) -> None:
        async with service.browser(name="ada") as here, service.browser("curl/8.14.1", "ada"):
            page = (await here.get("/account")).text
        assert re.search(r"<b>Firefox on Windows <span[^>]*>.*This one</span></b>.*in use now", page)
        assert re.search(r"<b>curl</b><span[^>]*>127\.0\.0\.1, last seen just now, logged in just now</span>", page)
        assert page.count("This one") == 1

    async def test_one_is_logged_out_and_the_others_stay(self, service: Service) -> None:
        async with (
            service.browser(name="ada") as here,
            service.browser("curl/8.14.1", "ada") as ending,
            service.browser("wget/1.25", "ada") as staying,
        ):
            assert await is_in(ending)
            forms = buttons((await here.get("/account")).text)
            (action,) = (action for label, action in forms.items() if "curl" in label)
            answer = await here.post(action)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account#sessions")
            assert [await is_in(client) for client in (here, ending, staying)] == [True, False, True]
            assert len(buttons((await here.get("/account")).text)) == 2

    async def test_this_one_logs_out_as_everywhere(self, service: Service) -> None:
        async with service.browser(name="ada") as here:
            assert buttons((await here.get("/account")).text) == {"Log out here": "/logout"}

    async def test_everywhere_else(self, service: Service) -> None:
        async with (
            service.browser(name="ada") as here,
            service.browser(name="ada") as there,
            service.browser(name="grace") as grace,
        ):
            assert "Log out everywhere else" in (await here.get("/account")).text
            answer = await here.post("/account/sessions/end-others")
            assert (answer.status_code, answer.headers["location"]) == (303, "/account#sessions")
            assert [await is_in(client) for client in (here, there, grace)] == [True, False, True]
            assert "Log out everywhere else" not in (await here.get("/account")).text

    async def test_nobody_sees_or_ends_anothers(self, service: Service) -> None:
        async with (
            service.browser("curl/8.14.1", "ada") as ada,
            service.browser("wget/1.25", "ada") as also_ada,
            service.browser(name="grace") as grace,
        ):
            forms = buttons((await ada.get("/account")).text)
            (action,) = (action for label, action in forms.items() if "wget" in label)
            assert "wget" not in (await grace.get("/account")).text
            assert (await grace.post(action)).status_code == 303
            assert await is_in(also_ada)

    async def test_what_a_browser_says_of_itself_is_shown_as_text(self, service: Service) -> None:
        async with service.browser("<b>bold</b>", "ada") as here:
            assert "<b>bold" not in (await here.get("/account")).text


class TestTheme:
    @pytest.mark.parametrize(("theme", "schemes"), [("light", "light"), ("dark", "dark"), ("system", "light dark")])
    async def test_is_kept_for_a_year_on_every_page(self, service: Service, theme: str, schemes: str) -> None:
        async with service.browser(name="ada") as client:
            answer = await client.post("/account/theme", data={"theme": theme})
            assert (answer.status_code, answer.headers["location"]) == (303, "/account#appearance")
            parts = set(answer.headers["set-cookie"].lower().split("; "))
            assert {f"theme={theme}", "max-age=31536000", "path=/", "samesite=lax", "httponly"} == parts
            assert f'value="{theme}" checked' in (await client.get("/account")).text
            await client.post("/logout")
            for path in ("/", "/login", "/about", "/nowhere"):
                page = (await client.get(path)).text
                assert f'<html lang="en" data-theme="{theme}"' in page, path
                assert f'<meta name="color-scheme" content="{schemes}">' in page, path

    async def test_is_the_systems_at_first_and_where_the_cookie_is_none_of_ours(self, service: Service) -> None:
        async with service.browser() as client:
            for cookie in ("", 'theme="><script>', "theme=sepia"):
                page = (await client.get("/", headers={"cookie": cookie} if cookie else {})).text
                assert '<html lang="en" data-theme="system">' in page

    @pytest.mark.parametrize("data", [{}, {"theme": "sepia"}, {"theme": "dark; Domain=evil.example"}])
    async def test_nothing_else_is_one(self, service: Service, data: dict[str, str]) -> None:
        async with service.browser() as client:
            answer = await client.post("/account/theme", data=data)
            assert answer.status_code == 422
            assert "set-cookie" not in answer.headers

    async def test_the_picture_of_the_first_page_goes_with_it(self, service: Service) -> None:
        async with service.browser() as client:
            for theme, shown in [("dark", {"dark"}), ("light", {"light"}), ("system", {"light", "dark"})]:
                await client.post("/account/theme", data={"theme": theme})
                page = (await client.get("/")).text
                assert set(re.findall(r"home-(light|dark)\.webp", page)) == shown
