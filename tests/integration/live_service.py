"""Taskline's web server in this process on a database of its own, with users who have sessions, and events that tests write into the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from app.events.model import Frame
from app.migrate import upgrade
from app.resources import Resources, open_resources
from app.server import serve
from app.settings import Settings
from tests.servers import free_port

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
        db, log = self.resources.db, self.resources.log
        async with db.transaction():
            head = await db.fetch_val("SELECT seq FROM streams WHERE user_id = :user", {"user": person.id})
            for seq in range(head + 1, head + count + 1):
                task = uuid4()
                card = orjson.dumps({"id": task, "name": "x" * size}).decode()
                await db.execute(
                    "INSERT INTO events (user_id, seq, at, type, task_id, task) VALUES (:user, :seq, :at, :kind, :id, :task)",
                    {"user": person.id, "seq": seq, "at": datetime.now(UTC), "kind": kind, "id": task, "task": card},
                )
            await db.execute(
                "UPDATE streams SET seq = seq + :count WHERE user_id = :user", {"count": count, "user": person.id}
            )
        frames = await log.since(person.id, head, count)
        if tell:
            self.resources.hub.deliver_local(frames)
        return frames

    async def prune(self, person: Person, floor: int) -> None:
        """Forget the events up to `floor`, as retention does."""
        db, values = self.resources.db, {"user": person.id, "floor": floor}
        async with db.transaction():
            await db.execute("DELETE FROM events WHERE user_id = :user AND seq <= :floor", values)
            await db.execute("UPDATE streams SET floor = :floor WHERE user_id = :user", values)

    async def restore(self) -> None:
        """What a restored backup is to its clients: another epoch."""
        await self.resources.db.execute("UPDATE meta SET value = :new WHERE key = 'epoch'", {"new": uuid4().hex})


@contextlib.asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[Service]:
    """A service that serves."""
    port = free_port()
    chosen = Settings.from_environment({}, data_dir=folder, port=port, **{"limit_sign_ups": "10000/minute", **settings})
    await upgrade(chosen.database_url)
    stopping = asyncio.Event()
    async with open_resources(chosen, secret_key=KEY) as resources:
        serving = asyncio.create_task(serve(resources, stopping))
        try:
            service = Service(resources, port)
            async with asyncio.timeout(20), service.client() as client:
                while not serving.done():
                    with contextlib.suppress(httpx.TransportError):
                        await client.get("/healthz")
                        break
                    await asyncio.sleep(0.02)  # a port says nothing to those who wait for it
            yield service
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
