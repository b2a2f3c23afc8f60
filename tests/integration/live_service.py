"""Taskline's web server in this process on a database of its own, with users who have sessions, and events that tests write into the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from app.events.model import Frame
from app.migrate import upgrade
from app.resources import Resources, open_resources
from app.server import listen, serve
from app.settings import Settings
from tests.contracts import written_events

COOKIE = "taskline"
KEY = "k" * 48


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a session."""

    id: int
    username: str
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.cookie}"}


class Service:
    """`log`, hub and all else are the real ones; `commit` stands for the tasks that move."""

    def __init__(self, resources: Resources, port: int) -> None:
        self.resources = resources
        self.origin = f"http://127.0.0.1:{port}"

    async def person(self, name: str | None = None) -> Person:
        """Sign somebody up and in."""
        username = name or f"user-{uuid4().hex[:10]}"
        user = await self.resources.accounts.sign_up(username, "a long walk at night")
        cookie = await self.resources.sessions.start(user, user_agent="test", address="127.0.0.1")
        return Person(user.id, username, cookie)

    def connect(self, person: Person | None, query: str = "", **options: Any) -> connect:
        """A websocket; a page of the service opens it unless `origin` says otherwise."""
        options = {"origin": Origin(self.origin), "subprotocols": [Subprotocol("taskline.v1")], **options}
        headers = {**(person.headers if person else {}), **options.pop("additional_headers", {})}
        return connect(f"{self.origin.replace('http', 'ws')}/ws{query}", additional_headers=headers, **options)

    def client(self, person: Person | None = None, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.origin, headers=person.headers if person else {}, **options)

    async def commit(
        self, person: Person, count: int = 1, *, kind: str = "task.queued", size: int = 0, tell: bool = True
    ) -> list[Frame]:
        """Append events of the person to the log; `tell`: to the hub too, as the outbox does. `size`: more characters in each."""
        head = await written_events.append(self.resources.db, person.id, count, kind=kind, size=size)
        frames = await self.resources.log.since(person.id, head, count)
        if tell:
            self.resources.hub.deliver_local(frames)
        return frames

    async def prune(self, person: Person, floor: int) -> None:
        """Forget the events up to `floor`, as retention does."""
        await written_events.prune(self.resources.db, person.id, floor)

    async def restore(self) -> None:
        """What a restored backup is to its clients: another epoch."""
        await self.resources.db.execute("UPDATE meta SET value = :new WHERE key = 'epoch'", {"new": uuid4().hex})


@contextlib.asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[Service]:
    """A service that serves."""
    chosen = Settings.from_environment({}, data_dir=folder, port=0, **{"limit_sign_ups": "10000/minute", **settings})
    await upgrade(chosen.database_url)
    stopping = asyncio.Event()
    async with open_resources(chosen, secret_key=KEY) as resources:
        listening = listen(chosen)
        port = listening.getsockname()[1]
        serving = asyncio.create_task(serve(listening, resources, stopping))
        try:
            yield Service(resources, port)
        finally:
            stopping.set()
            await serving


async def receive(socket: ClientConnection, within: float = 5) -> dict[str, Any]:
    """The next frame."""
    async with asyncio.timeout(within):
        frame: dict[str, Any] = orjson.loads(await socket.recv())
        return frame


async def close_code(socket: ClientConnection, within: float = 5) -> int | None:
    """With what the server closes."""
    async with asyncio.timeout(within):
        await socket.wait_closed()
    return socket.close_code


async def seqs(socket: ClientConnection, count: int) -> list[int]:
    """The numbers of the next events."""
    return [(await receive(socket))["seq"] for _ in range(count)]


async def closing(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    """What comes before the server closes."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            while True:
                yield await socket.recv()


async def refusal(connecting: connect) -> tuple[int, dict[str, Any]]:
    """The status and the problem that the server answers instead of opening a socket."""
    with pytest.raises(InvalidStatus) as refused:
        async with connecting:
            pass
    response = refused.value.response
    return response.status_code, orjson.loads(response.body or b"{}")
