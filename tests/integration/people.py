"""People as the service sees them: a cookie, REST calls, and plain websockets that remember every frame."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from uuid import uuid4

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PASSWORD: Final = "correct horse battery staple"
ENDS: Final = frozenset({"task.succeeded", "task.failed", "task.cancelled"})
PATIENCE: Final = 45.0  # seconds for anything that a test waits for


class Person:
    """Somebody signed in. Any web process of the deployment takes the cookie."""

    def __init__(self, http: httpx.AsyncClient, name: str) -> None:
        self.http = http
        self.name = name

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    async def submit(self, base: str, workload: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Start a task; the answer."""
        answer = await self.http.post(f"{base}/api/v1/tasks", json={"workload": workload, "params": params, **more})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def upload(self, base: str, name: str, content: bytes) -> str:
        """Send a file; its id."""
        answer = await self.http.post(f"{base}/api/v1/files", files={"file": (name, content, "text/csv")})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])

    async def task(self, base: str, task_id: str) -> dict[str, Any]:
        """The whole task."""
        answer = await self.http.get(f"{base}/api/v1/tasks/{task_id}")
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, base: str, path: str, **body: Any) -> dict[str, Any]:
        """Call an action that answers 202."""
        answer = await self.http.post(f"{base}/api/v1{path}", json=body or None)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        done: dict[str, Any] = answer.json()
        return done


@contextlib.asynccontextmanager
async def person(base: str) -> AsyncIterator[Person]:
    """Somebody new."""
    name = f"user-{uuid4().hex[:12]}"
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        answer = await http.post(f"{base}/signup", data={"username": name, "password": PASSWORD})
        assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
        yield Person(http, name)


class Listener:
    """A websocket that anybody could write, and all that it has heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self.frames: list[dict[str, Any]] = []
        self._socket = socket
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @property
    def events(self) -> list[dict[str, Any]]:
        """The numbered frames."""
        return [frame for frame in self.frames if "seq" in frame and frame["type"] != "welcome"]

    @property
    def ended(self) -> set[str]:
        """The tasks that it knows to have ended."""
        return {event["task"]["id"] for event in self.events if event["type"] in ENDS}

    async def until(self, happened: Callable[["Listener"], bool]) -> None:
        """Wait until the frames say so."""
        async with asyncio.timeout(PATIENCE):
            while not happened(self):
                self._more.clear()
                await self._more.wait()

    async def until_ended(self, task_ids: set[str]) -> None:
        """Wait until these tasks have ended."""
        await self.until(lambda self: task_ids <= self.ended)

    @property
    def close_code(self) -> int | None:
        """With what the server has closed."""
        return self._socket.close_code

    async def closed(self) -> None:
        """Wait until the server closes."""
        await asyncio.wait([self._reading])

    async def close(self) -> None:
        await self._socket.close()
        await self._reading

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self._socket:
                self.frames.append(orjson.loads(text))
                self._more.set()


@contextlib.asynccontextmanager
async def listening(base: str, who: Person, query: str = "") -> AsyncIterator[Listener]:
    """A socket of somebody, open and welcomed."""
    url = f"{base.replace('http', 'ws')}/ws{query}"
    async with connect(url, origin=base, additional_headers={"Cookie": who.cookie}) as socket:  # type: ignore[arg-type]
        listener = Listener(socket)
        try:
            await listener.until(lambda self: bool(self.frames))
            yield listener
        finally:
            await listener.close()


def check_history(events: list[dict[str, Any]], task_ids: set[str]) -> None:
    """The promise: every number once and in order, exactly these tasks, each with exactly one end, which is its last event."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    told: dict[str, list[str]] = {}
    for event in events:
        told.setdefault(event["task"]["id"], []).append(event["type"])
    assert set(told) == task_ids
    for task_id, types in told.items():
        assert [kind for kind in types if kind in ENDS] == types[-1:], (task_id, types)
        assert types[0] == "task.queued"
