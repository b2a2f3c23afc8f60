"""The edge and its errors around an application that misbehaves: what the real one should never do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from app import errors
from app.assets import static_dir, templates_dir
from app.web.errors import HANDLERS, STATUS
from app.web.middleware import SECURITY_HEADERS, Edge
from app.web.static import Static
from app.web.templating import open_templates

PAGE = {"accept": "text/html,*/*;q=0.8"}
LARGEST_UPLOAD = 100_000

RAISED = {
    "unexpected": ValueError("the secret of the trace"),
    "http": HTTPException(418, "Short and stout.", {"x-pot": "tea"}),
    "NotFound": errors.NotFound(),
    "Forbidden": errors.Forbidden(),
    "Conflict": errors.Conflict(),
    "Invalid": errors.Invalid(fields={"seconds": "takes 0 to 3600"}, hint="Correct it."),
    "TooMany": errors.TooMany(retry_after=2.4),
    "Unavailable": errors.Unavailable(),
    "Unauthenticated": errors.Unauthenticated(),
    "TasklineError": errors.TasklineError(),
}


async def fail(request: Request) -> Response:
    raise RAISED[request.path_params["kind"]]


async def half(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("the secret of the trace")

    return StreamingResponse(chunks())


async def wait(request: Request) -> Response:
    request.app.state.waiting.set()
    await asyncio.Event().wait()
    raise AssertionError


async def cached(request: Request) -> Response:
    return PlainTextResponse("hello", headers={"cache-control": "public, max-age=60"})


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


def made(public_url: str | None = None) -> Starlette:
    app = Starlette(
        routes=[
            Route("/api/fail/{kind}", fail),
            Route("/fail/{kind}", fail, methods=["GET", "POST"]),
            Route("/half", half),
            Route("/wait", wait),
            Route("/cached", cached),
            Route("/size", size, methods=["POST"]),
        ],
        middleware=[Middleware(Edge, public_url=public_url, largest_upload=LARGEST_UPLOAD)],
        exception_handlers=HANDLERS,
    )
    app.state.templates = open_templates(templates_dir(), Static(static_dir()), version="1.2.3")
    app.state.resources = SimpleNamespace(settings=SimpleNamespace(public_url=public_url))
    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made()), base_url="http://test") as one:
        yield one


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("unexpected", 500),
        ("http", 418),
        ("NotFound", 404),
        ("Forbidden", 403),
        ("Conflict", 409),
        ("Invalid", 422),
        ("TooMany", 429),
        ("Unavailable", 503),
        ("Unauthenticated", 401),
        ("TasklineError", 500),
    ],
)
async def test_an_error_is_a_problem_for_programs(client: httpx.AsyncClient, kind: str, status: int) -> None:
    answer = await client.get(f"/api/fail/{kind}", headers=PAGE)
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["title"]
    assert problem["detail"]
    assert problem["errors"] == ({"seconds": "takes 0 to 3600"} if kind == "Invalid" else {})
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "kind", ["unexpected", "http", "NotFound", "Forbidden", "Conflict", "Invalid", "TooMany", "Unavailable"]
)
async def test_and_a_page_for_people(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.get(f"/fail/{kind}", headers=PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>" in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert (await client.get(f"/fail/{kind}")).headers["content-type"] == "application/problem+json"


async def test_headers_of_the_error_stay(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/fail/TooMany")).headers["retry-after"] == "3"
    assert (await client.get("/api/fail/Unavailable")).headers["retry-after"]
    assert (await client.get("/api/fail/http")).headers["x-pot"] == "tea"
    assert set((await client.put("/cached")).headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_a_person_who_is_not_signed_in_goes_to_the_login_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fail/Unauthenticated?a=1&b=é", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/login?next=/fail/Unauthenticated%3Fa%3D1%26b%3D%25C3%25A9",
    )
    answer = await client.post("/fail/Unauthenticated", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


@pytest.mark.parametrize("path", ["/cached", "/api/fail/unexpected", "/fail/unexpected", "/fail/NotFound", "/nowhere"])
async def test_security_headers_are_on_every_answer(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=PAGE)
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert answer.headers["cache-control"] == ("public, max-age=60" if path == "/cached" else "no-store")
    assert "strict-transport-security" not in answer.headers


async def test_https_is_kept() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(made("https://test.example")), base_url="http://test"
    ) as client:
        assert (await client.get("/cached")).headers["strict-transport-security"].startswith("max-age=")


async def test_an_unexpected_error_is_logged_with_its_trace_and_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/api/fail/unexpected")
    logged = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert answer.headers["x-request-id"] in logged.getMessage()
    assert logged.exc_info


async def test_an_answer_that_breaks_off_is_not_mended(client: httpx.AsyncClient) -> None:
    with pytest.raises(ValueError, match="the secret"):
        await client.get("/half")


async def test_a_request_is_one_line_of_the_log(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app.access"):
        await client.get("/cached%0d%0aGET '/forged' 200?token=secret")
    (record,) = caplog.records
    assert record.getMessage().startswith(r"""GET "/cached\r\nGET '/forged' 200" 404""")
    assert "secret" not in record.getMessage()


@pytest.mark.parametrize(
    ("media_type", "length", "status"),
    [
        ("application/json", 64 * 1024, 200),
        ("application/json", 64 * 1024 + 1, 413),
        ("multipart/form-data; boundary=x", LARGEST_UPLOAD + 64 * 1024, 200),
        ("multipart/form-data; boundary=x", LARGEST_UPLOAD + 64 * 1024 + 1, 413),
    ],
)
async def test_bodies_are_bounded_declared_or_not(
    client: httpx.AsyncClient, media_type: str, length: int, status: int
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, length, 10_000):
            yield b"x" * min(10_000, length - at)

    declared = await client.post("/size", content=b"x" * length, headers={"content-type": media_type})
    streamed = await client.post("/size", content=pieces(), headers={"content-type": media_type})
    assert (declared.status_code, streamed.status_code) == (status, status)


OWN = "http://test"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": OWN}, 200),
        ({"origin": "HTTP://TEST"}, 200),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "https://test"}, 403),
        ({"origin": "http://test:81"}, 403),
        ({"origin": "http://test.evil.example"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site", "origin": OWN}, 403),
        ({"sec-fetch-site": "cross-site", "origin": OWN}, 403),
        ({"sec-fetch-site": "anything else"}, 403),
    ],
)
async def test_only_our_own_pages_change_things(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.post("/size", headers=headers)).status_code == status
    assert (await client.get("/cached", headers=headers)).status_code == 200


async def test_behind_a_proxy_the_public_origin_counts() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(made("https://tasks.example")), base_url="http://10.0.0.7"
    ) as client:
        assert (await client.post("/size", headers={"origin": "https://tasks.example"})).status_code == 200
        assert (await client.post("/size", headers={"origin": "http://10.0.0.7"})).status_code == 403


def test_every_kind_of_error_has_a_status() -> None:
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TasklineError)
    }
    kinds.discard(errors.TasklineError)
    assert all(any(base in STATUS for base in kind.__mro__) for kind in kinds)


async def test_a_request_that_the_stopping_server_gives_up_is_to_be_sent_again() -> None:
    app = made()
    app.state.waiting = asyncio.Event()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        asked = asyncio.create_task(client.get("/wait"))
        await app.state.waiting.wait()
        asked.cancel()  # as uvicorn does once it has waited for long enough
        answer = await asked
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "restarts" in answer.json()["detail"]
