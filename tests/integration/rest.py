"""A client of the REST API that holds every answer against the service's own OpenAPI document."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import jsonschema_rs
import orjson
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from tests.integration.processes import Service

API: Final = "/api/v1"
PASSWORD: Final = "a long walk at night"
FINAL: Final = {"task.succeeded", "task.failed", "task.cancelled"}
JSON: Final = {"content-type": "application/json"}

Json = dict[str, Any]
_names = itertools.count(1)


class Caller(httpx.AsyncClient):
    """One user, signed up and in. An answer that the document does not allow fails the test."""

    def __init__(self, service: Service) -> None:
        super().__init__(base_url=service.url, timeout=30, event_hooks={"response": [self._check]})
        self.username = f"user-{next(_names)}"
        self._service = service
        self._document: Json = {}
        self._checks: dict[str, Any] = {}

    async def begin(self) -> None:
        answer = await self.post("/signup", data={"username": self.username, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        self._document = (await self.get(f"{API}/openapi.json")).json()

    async def submit(self, body: Mapping[str, Any] | None = None, *, key: str | None = None, **fields: Any) -> Json:
        """Start a task that must be accepted: a countdown that is over at once, where nothing else is said."""
        answer = await self.ask({**COUNTDOWN, **fields} if body is None else body, key=key)
        assert answer.status_code == 202, answer.text
        return as_object(answer)

    async def ask(self, body: object, *, key: str | None = None) -> httpx.Response:
        """Try to start a task; bytes go as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = JSON if key is None else {**JSON, "idempotency-key": key}
        return await self.post(f"{API}/tasks", content=content, headers=headers)

    async def task(self, task: Json) -> Json:
        """The task as it is now."""
        answer = await self.get(task["links"]["self"])
        assert answer.status_code == 200, answer.text
        return as_object(answer)

    async def until(self, task: Json, *types: str) -> Json:
        """The task, once one of these events of it has happened."""
        async with self._socket() as frames, asyncio.timeout(60):
            async for frame in frames:
                if frame["type"] in types and frame["task"]["id"] == task["id"]:
                    return await self.task(task)
        raise AssertionError("the socket ended")

    async def ended(self, task: Json) -> Json:
        """The task, once it has ended."""
        return await self.until(task, *FINAL)

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[AsyncIterator[Json]]:
        """Everything that ever happened to this user's tasks, then what happens."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with connect(
            f"{self._service.websocket_url}?after=0",
            origin=Origin(self._service.url),
            subprotocols=[Subprotocol("taskline.v1")],
            additional_headers={"Cookie": cookie},
        ) as socket:
            yield (orjson.loads(text) async for text in socket)

    async def _check(self, answer: httpx.Response) -> None:
        operation = self._operation(answer.request)
        if operation is None or answer.status_code == 405:
            return
        said = operation["responses"].get(str(answer.status_code))
        where = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if media_type != "text/event-stream":  # which has no end
            await answer.aread()
        assert said is not None, f"{where} is not documented: {answer.text}"
        if reference := said.get("$ref"):
            said = self._document["components"]["responses"][reference.rpartition("/")[2]]
        content = said.get("content", {})
        if not content:
            assert not answer.content, where
            return
        assert media_type in content or "*/*" in content, f"{where} has the media type {media_type}"
        if media_type.endswith("json") and media_type in content:
            problems = [
                f"{where}: {list(error.instance_path)} {error.message[:500]}"
                for error in self._validator(content[media_type]["schema"]).iter_errors(answer.json())
            ]
            assert not problems, problems

    def _operation(self, request: httpx.Request) -> Json | None:
        for template, item in self._document.get("paths", {}).items():
            if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), request.url.path):
                operation: Json | None = item.get(request.method.lower())
                return operation
        return None

    def _validator(self, schema: Json) -> Any:
        key = orjson.dumps(schema).decode()
        if key not in self._checks:
            whole = {**schema, "components": {"schemas": closed(self._document["components"]["schemas"])}}
            self._checks[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._checks[key]


COUNTDOWN: Final[Json] = {"workload": "countdown", "params": {"seconds": 0}}


def closed(schemas: Json) -> Json:
    """The schemas, without leave for what they do not name: an answer has nothing that is not documented."""
    return {
        name: {**schema, "additionalProperties": schema.get("additionalProperties", False)}
        if "properties" in schema
        else schema
        for name, schema in schemas.items()
    }


@asynccontextmanager
async def caller(service: Service) -> AsyncIterator[Caller]:
    """A new user."""
    async with Caller(service) as one:
        await one.begin()
        yield one


def as_object(answer: httpx.Response) -> Json:
    """The JSON object of an answer."""
    value = answer.json()
    assert isinstance(value, dict)
    return value


def refused(answer: httpx.Response, status: int, *fields: str) -> Json:
    """The problem of an answer that must be one, with exactly these fields."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = as_object(answer)
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert set(problem["errors"]) == set(fields)
    return problem


async def until(ask: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Ask again until it is so: for what a client can only poll."""
    async with asyncio.timeout(seconds):
        while not await ask():  # noqa: ASYNC110  the other side is a process that gives no sign
            await asyncio.sleep(0.05)
