"""`/ws`: a user's events as they happen. The client need not say anything; what it may say is answered here."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.accounts import Identity, Sessions
from app.backoff import until_available
from app.errors import Forbidden
from app.events.follower import Follower
from app.events.frames import read_frame, status_frame
from app.events.model import Frame
from app.notifications.model import Reading
from app.ops.monitor import Monitor
from app.resources import Resources
from app.web import auth
from app.web.following import asked_position, may_go_on, text_of
from app.web.readers import Readers
from app.web.sockets import Sockets

PROTOCOL: Final = "taskline.v1"
SESSION_ENDED: Final = 4001
TOO_SLOW: Final = 4008
TOO_MANY: Final = 4009
FLOODING: Final = 4013
TOO_BIG: Final = 1009
FAILED: Final = 1011
RESTARTING: Final = 1012

LARGEST_FRAME: Final = 4096  # bytes from a client
FRAMES_A_SECOND: Final = 20.0  # from a client, on average
FRAMES_AT_ONCE: Final = 60.0
SEND_WITHIN: Final = 10.0  # seconds for the client to take a frame
CLOSE_WITHIN: Final = 20.0  # seconds for the client to take the closing frame
DELETED: Final = '{"type":"task.deleted"'  # how the frame begins that takes what was to be read away
NOT_UNDERSTOOD: Final = '{"type":"error","message":"Send {\\"type\\": \\"ping\\"} or {\\"type\\": \\"echo\\", \\"data\\": …}, or nothing at all."}'


async def live(websocket: WebSocket) -> None:
    """Refused before it is accepted (401, 403, 422, 503), or accepted, with the subprotocol where that was offered."""
    if not auth.allowed_origin(websocket):
        raise Forbidden
    identity = await auth.require(websocket)
    after, epoch = asked_position(websocket.query_params)
    await websocket.accept(PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
    resources: Resources = websocket.app.state.resources
    sockets: Sockets = websocket.app.state.sockets
    monitor: Monitor = websocket.app.state.monitor
    readers: Readers = websocket.app.state.readers
    with contextlib.ExitStack() as stack:
        follower = stack.enter_context(resources.hub.follow(identity.user_id, after, epoch))
        socket = Socket(websocket, follower, identity, resources.sessions)
        if websocket.query_params.get("status") == "1":
            stack.enter_context(monitor.telling(socket.say_status))
            socket.status = lambda: monitor.down
        if websocket.query_params.get("read") == "1":
            stack.enter_context(readers.telling(identity.user_id, socket.say_read))
            socket.reading = lambda: resources.notifications.reading(identity.user_id)
        if not stack.enter_context(sockets.add(identity, socket.end_session)):
            socket.end(TOO_MANY)
        await socket.serve()


class Socket:
    """An accepted websocket: it sends what the follower yields, and a second task answers the client.

    Whatever ends it ends the follower, so that one place closes.
    """

    __slots__ = (
        "_credit",
        "_credited_at",
        "_follower",
        "_identity",
        "_saying",
        "_sessions",
        "_telling",
        "_unsaid",
        "_websocket",
        "_welcomed",
        "_why",
        "reading",
        "status",
    )

    def __init__(self, websocket: WebSocket, follower: Follower, identity: Identity, sessions: Sessions) -> None:
        self.status: Callable[[], Sequence[str]] | None = (
            None  # which parts are down, for a client that asked to hear of it
        )
        self.reading: Callable[[], Awaitable[Reading]] | None = None  # how far its person has read, likewise
        self._websocket = websocket
        self._follower = follower
        self._identity = identity
        self._sessions = sessions
        self._saying: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._unsaid = False
        # Not an Event: that takes 0.8 KiB, of each of thousands of sockets.
        self._welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._why: int | None = RESTARTING  # closing code; None once the client has left
        self._credit = FRAMES_AT_ONCE
        self._credited_at = time.monotonic()

    async def serve(self) -> None:
        """Until one side has closed."""
        receiving = asyncio.create_task(self._receive())
        try:
            async for item in self._follower:
                if not await may_go_on(item, self._identity, self._sessions):
                    self.end_session()
                    break
                await self._send(text_of(item, self._identity))
                if not self._welcomed.done():
                    self._welcomed.set_result(None)
                    self.say_status()
                if not isinstance(item, Frame) or item.text.startswith(DELETED):
                    self.say_read()
            await self._close()
        except asyncio.CancelledError:
            # The server stops, and this client does not even take the closing frame.
            if not self._follower.ended:
                raise
        finally:
            receiving.cancel()
            for task in (self._saying, self._telling):
                if task is not None:
                    task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving

    def say_status(self) -> None:
        """Send which parts are down, once welcomed: at once, also while the database keeps the events waiting."""
        if self.status is not None and self._welcomed.done() and (self._saying is None or self._saying.done()):
            self._saying = asyncio.create_task(self._say_status(self.status))

    async def _say_status(self, status: Callable[[], Sequence[str]]) -> None:
        said: Sequence[str] | None = None
        while said != status() and not self._follower.ended:  # it may change while the client takes its time
            said = status()
            await self._send(status_frame(said))

    def say_read(self) -> None:
        """Send how far the person has read, once welcomed; what changes meanwhile, once more."""
        if self.reading is None or not self._welcomed.done():
            return
        self._unsaid = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._say_read(self.reading))

    async def _say_read(self, reading: Callable[[], Awaitable[Reading]]) -> None:
        while self._unsaid and not self._follower.ended:
            self._unsaid = False
            await self._send(read_frame((await until_available(reading)).document()))

    def end(self, why: int | None) -> None:
        """Close with this code, unless it is closing already; None: the client has left."""
        if not self._follower.ended:
            self._why = why
            self._follower.end()

    def end_session(self) -> None:
        """The session has ended: the client is not to come back with it."""
        self.end(SESSION_ENDED)

    async def _receive(self) -> None:
        try:
            while not self._follower.ended:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    self.end(None)
                elif len(said := message.get("bytes") or (message.get("text") or "").encode()) > LARGEST_FRAME:
                    self.end(TOO_BIG)
                elif not self._afford():
                    self.end(FLOODING)
                else:
                    await self._welcomed
                    await self._send(_answer(said))
        finally:
            self.end(FAILED)  # a socket that does not listen would never hear that its client has left

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self._websocket.send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self.end(TOO_SLOW)
        except (WebSocketDisconnect, RuntimeError):
            # The server raises RuntimeError where it has closed the socket itself: after a frame too large, or without a pong.
            self.end(None)

    async def _close(self) -> None:
        if self._why is None:
            return
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._websocket.close(self._why)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return  # it does not even read that, or is gone; the server cuts the connection

    def _afford(self) -> bool:
        now = time.monotonic()
        self._credit = min(FRAMES_AT_ONCE, self._credit + (now - self._credited_at) * FRAMES_A_SECOND) - 1
        self._credited_at = now
        return self._credit >= 0


def _answer(said: bytes) -> str:
    try:
        match orjson.loads(said):
            case {"type": "ping", "id": name}:
                answer: dict[str, Any] = {"type": "pong", "id": name}
            case {"type": "ping"}:
                answer = {"type": "pong"}
            case {"type": "echo", "data": data}:
                answer = {"type": "echo", "data": data}
            case _:
                return NOT_UNDERSTOOD
        return orjson.dumps(answer).decode()
    except (ValueError, TypeError):  # orjson's own TypeError: nested deeper than it writes
        return NOT_UNDERSTOOD
