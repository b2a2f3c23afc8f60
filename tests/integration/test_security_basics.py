"""What a browser, a script or a thief can try from outside, against a running service."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from app.settings import Settings, SettingsError
from tests.browser.taskline import Taskline
from tests.servers import free_port

PASSWORD = "a long walk at night"
SESSION_ENDED = 4001
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
    "require-trusted-types-for 'script'"
)
_names = itertools.count()


class Service(Taskline):
    """`taskline dev` with settings of its own."""

    def __init__(self, **settings: str) -> None:
        super().__init__(free_port())
        self._settings = {f"TASKLINE_{name.upper()}": value for name, value in settings.items()}

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        command, environment = super()._command()
        return command, {**environment, **self._settings}


def _running(**settings: str) -> Iterator[Service]:
    service = Service(**settings)
    try:
        service.start()
        yield service
    finally:
        service.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    yield from _running()


@pytest.fixture(scope="module")
def proxied_service() -> Iterator[Service]:
    """Behind a proxy that ends TLS."""
    yield from _running(public_url="https://tasks.example", trusted_proxies="127.0.0.1")


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.url) as one:
        yield one


def fresh_name() -> str:
    return f"user-{next(_names)}"


async def sign_up(client: httpx.AsyncClient, name: str | None = None, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/signup", data={"username": name or fresh_name(), "password": password})


async def log_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD, **options: Any) -> httpx.Response:
    return await client.post("/api/v1/session", json={"username": name, "password": password}, **options)


def socket(service: Service, client: httpx.AsyncClient, origin: str | None = None) -> connect:
    """A websocket with the client's cookies."""
    headers = (
        {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())} if client.cookies else {}
    )
    return connect(
        service.url.replace("http", "ws") + "/ws",
        origin=Origin(origin) if origin else None,
        subprotocols=[Subprotocol("taskline.v1")],
        additional_headers=headers,
    )


async def refusal_of(connecting: connect) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connecting:
            pass
    return refused.value.response.status_code


async def close_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        await socket.wait_closed()
    return socket.close_code


class TestPasswords:
    @pytest.mark.parametrize(
        ("password", "says"), [("7 chars", "at least 8"), ("password1", "common"), ("x" * 1025, "at most")]
    )
    async def test_bad_ones_are_named_beside_the_field(
        self, client: httpx.AsyncClient, password: str, says: str
    ) -> None:
        answer = await sign_up(client, password=password)
        assert answer.status_code == 422
        assert says in answer.text
        assert password not in answer.text
        assert not client.cookies

    @pytest.mark.parametrize("password", ["密码 пароль ✓ with spaces " * 4, "x" * 1024])
    async def test_long_ones_count_to_the_end(self, client: httpx.AsyncClient, password: str) -> None:
        name = fresh_name()
        assert (await sign_up(client, name, password)).status_code == 303
        assert (await log_in(client, name, password[:-1])).status_code == 401
        assert (await log_in(client, name, password)).status_code == 201


class TestSessions:
    async def test_signing_up_signs_in(self, client: httpx.AsyncClient) -> None:
        name = fresh_name()
        assert (await client.get("/api/v1/me")).status_code == 401
        assert (await sign_up(client, name)).status_code == 303
        assert (await client.get("/api/v1/me")).json()["username"] == name

    async def test_the_cookie_is_for_http_of_this_site_alone(self, client: httpx.AsyncClient) -> None:
        parts = (await sign_up(client)).headers["set-cookie"].lower().split("; ")
        assert parts[0].startswith("taskline=")
        assert {"httponly", "samesite=lax", "path=/"} <= set(parts)
        assert not any(part.startswith("domain") for part in parts)

    async def test_and_of_this_host_by_tls_alone_where_there_is_tls(self, proxied_service: Service) -> None:
        async with httpx.AsyncClient(base_url=proxied_service.url) as client:
            answer = await sign_up(client)
            parts = answer.headers["set-cookie"].split("; ")
            assert parts[0].startswith("__Host-taskline=")
            assert {"httponly", "samesite=lax", "path=/", "secure"} <= {part.lower() for part in parts}
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            me = await client.get("/api/v1/me", headers={"cookie": parts[0]})
            assert me.status_code == 200
            stolen_by_http = parts[0].removeprefix("__Host-")
            assert (await client.get("/api/v1/me", headers={"cookie": stolen_by_http})).status_code == 401

    async def test_each_log_in_is_a_new_one_and_ends_the_one_before(self, client: httpx.AsyncClient) -> None:
        name = fresh_name()
        await sign_up(client, name)
        before = client.cookies["taskline"]
        await log_in(client, name)
        after = client.cookies["taskline"]
        assert after != before
        client.cookies.set("taskline", before)
        assert (await client.get("/api/v1/me")).status_code == 401

    @pytest.mark.parametrize("door", ["page", "api"])
    async def test_the_old_cookie_and_its_sockets_end_with_the_log_out(
        self, service: Service, client: httpx.AsyncClient, door: str
    ) -> None:
        await sign_up(client)
        cookie = client.cookies["taskline"]
        async with socket(service, client, service.url) as open_one:
            await open_one.recv()
            answer = await (client.post("/logout") if door == "page" else client.delete("/api/v1/session"))
            assert answer.status_code == (303 if door == "page" else 204)
            assert not client.cookies
            assert await close_code(open_one) == SESSION_ENDED
        client.cookies.set("taskline", cookie)
        assert (await client.get("/api/v1/me")).status_code == 401
        assert await refusal_of(socket(service, client, service.url)) in (401, 403)

    async def test_reading_changes_nothing(self, client: httpx.AsyncClient) -> None:
        await sign_up(client)
        assert (await client.get("/logout")).status_code == 405
        assert (await client.get("/api/v1/session")).status_code == 405
        assert (await client.get("/api/v1/me")).status_code == 200

    async def test_a_page_leads_to_the_login_and_back_on_this_site_alone(self, client: httpx.AsyncClient) -> None:
        name = fresh_name()
        await sign_up(client, name)
        await client.post("/logout")
        answer = await client.get("/tasks?state=failed", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/tasks%3Fstate%3Dfailed")
        for target, leads_to in [
            ("/tasks?state=failed", "/tasks?state=failed"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
        ]:
            answer = await client.post("/login", data={"username": name, "password": PASSWORD, "next": target})
            assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


class TestGuessing:
    async def test_unknown_name_and_wrong_password_look_alike(self, client: httpx.AsyncClient) -> None:
        name = fresh_name()
        await sign_up(client, name)
        wrong, unknown = [await log_in(client, who, "not the password") for who in (name, fresh_name())]
        assert wrong.status_code == unknown.status_code == 401
        same = [
            {key: value for key, value in answer.json().items() if key != "request_id"} for answer in (wrong, unknown)
        ]
        assert same[0] == same[1]

    async def test_a_burst_is_stopped_whatever_it_says_of_its_address(
        self, service: Service, client: httpx.AsyncClient
    ) -> None:
        name = fresh_name()
        await sign_up(client, name)
        answers = [
            await log_in(client, name, f"guess number {at}", headers={"X-Forwarded-For": f"198.51.100.{at}"})
            for at in range(12)
        ]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert (await log_in(client, name)).status_code == 429
        page = await client.post("/login", data={"username": name, "password": PASSWORD})
        assert page.status_code == 429
        assert "Too many tries" in page.text

        elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(base_url=service.url, transport=elsewhere) as owner:
            assert (await log_in(owner, name)).status_code == 201

    async def test_a_trusted_proxy_is_believed(self, proxied_service: Service) -> None:
        async with httpx.AsyncClient(base_url=proxied_service.url) as client:
            for forwarded, statuses in [("198.51.100.1", [401] * 10 + [429]), ("198.51.100.2", [401])]:
                answers = [
                    await log_in(client, "nobody", "a guess", headers={"X-Forwarded-For": forwarded}) for _ in statuses
                ]
                assert [answer.status_code for answer in answers] == statuses

    async def test_sign_ups_are_limited_by_address(self) -> None:
        limited = Service(limit_sign_ups="2/hour")
        try:
            limited.start()
            async with httpx.AsyncClient(base_url=limited.url) as client:
                assert [(await sign_up(client)).status_code for _ in range(3)] == [303, 303, 429]
        finally:
            limited.close()


class TestOrigins:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    async def test_other_sites_change_nothing(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        name = fresh_name()
        await sign_up(client, name)
        for method, path in [
            ("POST", "/logout"),
            ("DELETE", "/api/v1/session"),
            ("POST", "/login"),
            ("POST", "/api/v1/tasks"),
        ]:
            assert (await client.request(method, path, headers=headers)).status_code == 403
        assert (await client.get("/api/v1/me", headers=headers)).json()["username"] == name

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
    async def test_nor_do_they_open_sockets(
        self, service: Service, client: httpx.AsyncClient, origin: str | None
    ) -> None:
        await sign_up(client)
        assert await refusal_of(socket(service, client, origin)) == 403

    async def test_our_pages_do(self, service: Service, client: httpx.AsyncClient) -> None:
        await sign_up(client)
        assert (
            await client.post("/logout", headers={"Origin": service.url, "Sec-Fetch-Site": "same-origin"})
        ).status_code == 303
        await sign_up(client)
        async with socket(service, client, service.url) as open_one:
            assert open_one.subprotocol == "taskline.v1"

    async def test_a_socket_needs_a_session(self, service: Service, client: httpx.AsyncClient) -> None:
        assert await refusal_of(socket(service, client, service.url)) in (401, 403)

    async def test_json_by_another_name_is_not_read(self, client: httpx.AsyncClient) -> None:
        await sign_up(client)
        body = b'{"workload": "countdown", "params": {"seconds": 0}}'
        for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
            answer = await client.post("/api/v1/tasks", content=body, headers={"content-type": media_type})
            assert answer.status_code == 415


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"username": 1, "password": null}', 422), (b"\xff", 400)],
    )
    async def test_what_is_wrong_is_said(self, client: httpx.AsyncClient, body: bytes, status: int) -> None:
        answer = await client.post("/api/v1/session", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == answer.json()["status"] == status

    async def test_large_ones_are_refused(self, client: httpx.AsyncClient) -> None:
        for path, media_type in [
            ("/api/v1/session", "application/json"),
            ("/login", "application/x-www-form-urlencoded"),
        ]:
            answer = await client.post(path, content=b"x" * 100_000, headers={"content-type": media_type})
            assert answer.status_code == 413

    async def test_a_thousand_and_one_fields(self, client: httpx.AsyncClient) -> None:
        await sign_up(client)
        many = [(f"field-{at}", (None, "x")) for at in range(1001)]
        assert (await client.post("/api/v1/files", files=many)).status_code == 400


class TestAnswers:
    @pytest.mark.parametrize("path", ["/", "/login", "/about", "/nowhere", "/api/v1/me", "/api/v1/nowhere"])
    async def test_headers(self, client: httpx.AsyncClient, path: str) -> None:
        answer = await client.get(path, headers={"accept": "text/html"})
        assert answer.headers.get_list("content-security-policy") == [POLICY]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers

    @pytest.mark.parametrize("path", ["/", "/login", "/signup", "/about", "/nowhere"])
    async def test_pages_need_nothing_inline(self, client: httpx.AsyncClient, path: str) -> None:
        text = (await client.get(path, headers={"accept": "text/html"})).text
        assert "<script>" not in text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text

    async def test_an_error_page_says_who_is_signed_in(self, client: httpx.AsyncClient) -> None:
        name = fresh_name()
        await sign_up(client, name)
        answer = await client.get("/nowhere", headers={"accept": "text/html"})
        assert answer.status_code == 404
        assert name in answer.text
        assert answer.headers["x-request-id"] in answer.text


async def test_the_log_tells_who_came_and_keeps_secrets(service: Service, client: httpx.AsyncClient) -> None:
    name = fresh_name()
    await sign_up(client, name, "the password of this test")
    cookie = client.cookies["taskline"]
    await log_in(client, name, "a wrong password of this test")
    await client.get("/nowhere%0d%0aforged line?token=tl_secret")
    lines = service.log_tail(most=1_000_000).splitlines()
    assert any("sign-up: user" in line for line in lines)
    assert any("sign-in refused" in line and "127.0.0.1" in line for line in lines)
    assert not any(line.startswith("forged line") for line in lines)
    for secret in ("password of this test", cookie, cookie.split(".")[0], "tl_secret"):
        assert not any(secret in line for line in lines)


class TestSettings:
    @pytest.mark.parametrize("key", ["", "short", "x" * 31])
    def test_no_service_for_others_without_a_long_key(self, key: str) -> None:
        settings = Settings.from_environment({"TASKLINE_HOST": "0.0.0.0", "TASKLINE_SECRET_KEY": key})
        with pytest.raises(SettingsError, match="TASKLINE_SECRET_KEY"):
            settings.check_serving()

    def test_secrets_are_never_shown(self) -> None:
        urls = {
            "TASKLINE_DATABASE_URL": "postgresql://me:hunter2@db/tasks",
            "TASKLINE_QUEUE_URL": "amqp://me:hunter2@mq/",
            "TASKLINE_EVENTS_URL": "redis://:hunter2@cache/0",
        }
        settings = Settings.from_environment({**urls, "TASKLINE_SECRET_KEY": "hunter2" * 6})
        for shown in (repr(settings), str(settings), str(settings.redacted())):
            assert "hunter2" not in shown
        with pytest.raises(SettingsError) as refused:
            Settings.from_environment({"TASKLINE_DATABASE_URL": "mysql://me:hunter2@db/tasks"})
        assert "hunter2" not in str(refused.value)


async def test_no_page_is_squeezed_together_with_what_the_request_says(client: httpx.AsyncClient) -> None:
    await sign_up(client)
    for path, squeezed in (("/", True), ("/tasks", True), ("/tasks?q=guess", False), ("/?workload=countdown", False)):
        answer = await client.get(path, headers={"accept-encoding": "gzip"})
        assert ("content-encoding" in answer.headers) is squeezed, path
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.text.startswith("<!doctype html>"), path
    refused = await client.post("/tasks", data={"workload": "countdown", "p.seconds": "guess"})
    assert refused.status_code == 422
    assert "content-encoding" not in refused.headers
    assert "content-encoding" not in (await client.get("/", headers={"accept-encoding": "identity"})).headers
