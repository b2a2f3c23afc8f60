"""Somebody with an account and a browser's cookies: what they start, and what their sockets hear."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.integration.service import Service

PASSWORD: Final = "a long walk at night"
SOON: Final = 10.0  # seconds that anything may take which is to happen at once
Message = dict[str, Any]
_numbers = itertools.count(1)


class Person:
    """Signed in at `service`. `http` is their browser; it goes by `signed_up`."""

    def __init__(self, service: Service, http: httpx.AsyncClient, name: str) -> None:
        self.service = service
        self.http = http
        self.name = name

    @property
    def cookie(self) -> str:
        """The header that proves who they are."""
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def socket(
        self,
        service: Service | None = None,
        *,
        origin: str | None = "",
        subprotocols: Iterable[str] = (),
        **query: str | int,
    ) -> connect:
        """A websocket as a tab of theirs opens it, at another process of the deployment where `service` is given. `origin`: None sends none."""
        at = service or self.service
        return connect(
            f"{at.websocket_url}?{urlencode(query)}",
            origin=None if origin is None else Origin(origin or at.url),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            additional_headers={"Cookie": self.cookie} if self.http.cookies else None,
            open_timeout=SOON,
            close_timeout=1,
        )

    async def start(self, workload: str = "countdown", *, name: str | None = None, **params: Any) -> Message:
        """Submit a task; returns it."""
        params = params or {"seconds": 0}
        answer = await self.http.post("/api/v1/tasks", json={"workload": workload, "params": params, "name": name})
        assert answer.status_code == 202, answer.text
        task: Message = answer.json()
        return task

    async def position(self) -> int:
        """The `seq` of their newest event."""
        async with self.socket() as socket:
            return int((await received(socket))["seq"])

    async def finish(self, tasks: int, *, name: str | None = None) -> int:
        """Run so many tasks to their end; returns how many events their log has then."""
        async with self.socket() as socket:
            first = int((await received(socket))["seq"])
            for _ in range(0, tasks, 100):
                await asyncio.gather(*(self.start(name=name) for _ in range(min(100, tasks))))
            return first + len(await events(socket, 3 * tasks))


@contextlib.asynccontextmanager
async def signed_up(service: Service) -> AsyncIterator[Person]:
    """A new person."""
    name = f"person-{next(_numbers)}"
    async with httpx.AsyncClient(base_url=service.url, timeout=SOON) as http:
        answer = await http.post("/signup", data={"username": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        yield Person(service, http, name)


async def received(socket: ClientConnection) -> Message:
    """The next frame."""
    async with asyncio.timeout(SOON):
        frame: Message = orjson.loads(await socket.recv())
        return frame


async def events(socket: ClientConnection, count: int) -> list[Message]:
    """The next frames that have a `seq`; progress is left out."""
    found: list[Message] = []
    while len(found) < count:
        if "seq" in (frame := await received(socket)):
            found.append(frame)
    return found


async def until_ended(socket: ClientConnection, task_id: str) -> list[Message]:
    """All frames up to the one that tells of the task's end."""
    found: list[Message] = []
    while True:
        frame = await received(socket)
        found.append(frame)
        if frame["type"] in ("task.succeeded", "task.failed", "task.cancelled") and frame["task"]["id"] == task_id:
            return found


async def close_code(socket: ClientConnection, within: float = SOON) -> int | None:
    """The code that the server closes with, whatever it sends before."""
    async with asyncio.timeout(within):
        async for _ in socket:
            pass
        await socket.wait_closed()
    return socket.close_code


async def refusal(attempt: connect) -> int:
    """The HTTP status that the server answers instead of opening a socket."""
    try:
        async with attempt:
            return 101
    except InvalidStatus as error:
        return error.response.status_code
