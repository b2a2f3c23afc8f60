"""A browser's tab: a websocket that comes back where it was, as often as it is cut, and keeps every frame of every connection."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from tests.integration.people import ENDS, PATIENCE

SESSION_ENDED: Final = 4001
LEAST_PAUSE, MOST_PAUSE = 0.05, 1.0  # seconds; a browser takes 0.5 to 20
TERMINAL: Final = frozenset(kind.removeprefix("task.") for kind in ENDS)


@dataclass(slots=True)
class Connection:
    """One connection that was welcomed or tried to be. `after`: the number that it asked to go on from, None for none."""

    origin: str
    after: int | None
    epoch: str | None
    frames: list[dict[str, Any]] = field(default_factory=list)
    code: int | None = None  # that it was closed with


class Tab:
    """Starts at the very first event, whatever its person has done before. `origin` says where to go, each time anew."""

    def __init__(self, origin: Callable[[], str], cookie: str) -> None:
        self.connections: list[Connection] = []
        self.ended: dict[str, float] = {}  # task -> `time.time` at which its end was heard
        self.last: dict[str, str] = {}  # task -> what was heard of it last
        self.position = 0
        self.epoch: str | None = None
        self.state = "closed"
        self._origin = origin
        self._cookie = cookie
        self._news = asyncio.Event()
        self._living: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._living = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._living
        self._living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._living

    @property
    def frames(self) -> list[dict[str, Any]]:
        """All that came, over all connections."""
        return [frame for connection in self.connections for frame in connection.frames]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The numbered frames."""
        return [frame for frame in self.frames if is_event(frame)]

    def told(self, task: str, kind: str, attempt: int | None = None) -> list[float]:
        """When events of the task of this kind (and attempt) happened, as the service says: seconds of `time.time`."""
        return [
            datetime.fromisoformat(event["at"]).timestamp()
            for event in self.events
            if event["task"]["id"] == task and event["type"] == kind and attempt in {None, event["task"].get("attempt")}
        ]

    def as_heard(self) -> "Tab":
        """A copy that has heard what this one has heard so far, and hears nothing more."""
        copy = Tab(self._origin, self._cookie)
        copy.connections = [replace(connection, frames=list(connection.frames)) for connection in self.connections]
        return copy

    async def opened(self) -> None:
        """Until it is welcome."""
        await self.until(lambda self: self.state == "open")

    async def gone(self) -> None:
        """Until it has left for good: its session has ended."""
        assert self._living
        await asyncio.shield(self._living)

    async def until_ended(self, task: str) -> None:
        """Until it knows the task to have ended, however long that takes."""
        while task not in self.ended:
            self._news.clear()
            await self._news.wait()

    async def until(self, happened: Callable[["Tab"], bool], within: float = PATIENCE) -> None:
        """Until what it has heard says so; `happened` is asked at each frame. Raises `TimeoutError`."""
        async with asyncio.timeout(within):
            while not happened(self):
                self._news.clear()
                await self._news.wait()

    async def until_told(self, task: str, kind: str, within: float = PATIENCE) -> None:
        """Until the newest event of the task is of this kind, such as `task.started`."""
        await self.until(lambda self: self.last.get(task) == kind, within)

    async def _live(self) -> None:
        tries = 0
        while True:
            welcome, code = await self._connect()
            if code == SESSION_ENDED:
                return
            tries = 0 if welcome else tries + 1
            await asyncio.sleep(random.uniform(LEAST_PAUSE, min(MOST_PAUSE, LEAST_PAUSE * 2 ** (tries + 1))))

    async def _connect(self) -> tuple[bool, int | None]:
        """One connection, to its end: whether it was welcome, and the closing code."""
        origin = self._origin()
        place: dict[str, Any] = {"after": self.position}
        if self.epoch is not None:
            place["epoch"] = self.epoch
        connection = Connection(origin, self.position, self.epoch)
        self.connections.append(connection)
        try:
            async with connect(
                f"{origin.replace('http', 'ws', 1)}/ws?{urlencode(place)}",
                origin=Origin(origin),
                additional_headers={"Cookie": self._cookie},
                compression=None,
                open_timeout=5,
                close_timeout=0.5,
                max_size=None,
                max_queue=None,
                ping_interval=None,
            ) as socket:
                try:
                    async for text in socket:
                        self._take(connection, orjson.loads(text))
                finally:
                    connection.code = socket.close_code
        except (OSError, TimeoutError, EOFError, WebSocketException):
            pass
        finally:
            self.state = "closed"
        return bool(connection.frames), connection.code

    def _take(self, connection: Connection, frame: dict[str, Any]) -> None:
        connection.frames.append(frame)
        now = time.time()
        match frame["type"]:
            case "welcome":
                self.epoch = frame["epoch"]
                self.state = "open"
            case "reset":
                self.epoch, self.position = frame["epoch"], frame["seq"]
                for card in frame["tasks"]:
                    self.last[card["id"]] = f"reset: {card['state']}"
                    if card["state"] in TERMINAL:
                        self.ended.setdefault(card["id"], now)
            case kind if is_event(frame):
                self.position = frame["seq"]
                self.last[frame["task"]["id"]] = kind
                if kind in ENDS:
                    self.ended.setdefault(frame["task"]["id"], now)
        self._news.set()


def is_event(frame: dict[str, Any]) -> bool:
    """Whether the frame is one of the numbered ones."""
    return "seq" in frame and frame["type"] not in {"welcome", "reset"}
