"""`/ws`: a user's events as they happen. The client need not say anything; what it may say is answered here."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import orjson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app.errors import Forbidden, Invalid, TasklineError, Unauthenticated
from app.events.frames import reset_frame, welcome_frame
from app.events.hub import Welcome
from app.events.model import Frame, Snapshot
from app.resources import Resources
from app.web import auth
from app.web.errors import answer
from app.web.sockets import Sockets

PROTOCOL: Final = "taskline.v1"
SESSION_ENDED: Final = 4001
TOO_SLOW: Final = 4008
TOO_MANY: Final = 4009
FLOODING: Final = 4013
RESTARTING: Final = 1012
TOO_BIG: Final = 1009

LARGEST_FRAME: Final = 4096  # bytes from a client
SEND_WITHIN: Final = 10.0  # seconds for the client to take a frame
FRAMES_A_SECOND: Final = 20.0  # from a client, on average
FRAMES_AT_ONCE: Final = 60.0


async def live(websocket: WebSocket) -> None:
    """Refused before it is accepted (401, 403, 422), or accepted with the subprotocol where that was offered."""
    try:
        identity, after, epoch = await _admit(websocket)
    except TasklineError as error:
        await _deny(websocket, await answer(websocket, error))
        return
    await websocket.accept(subprotocol=PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
    socket = Socket(websocket)
    sockets: Sockets = websocket.app.state.sockets
    with sockets.add(identity, socket.end_session) as fits:
        if not fits:
            await socket.close(TOO_MANY, "too many sockets of this user")
            return
        resources: Resources = websocket.app.state.resources
        async with resources.hub.follow(identity.user_id, after, epoch) as items:
            sending = asyncio.create_task(socket.send_all(items, identity))
            try:
                await socket.receive_all()
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


class Socket:
    """One accepted websocket: two tasks, one that sends and one that receives."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._credit = FRAMES_AT_ONCE
        self._credited_at = time.monotonic()
        self._closing: asyncio.Task[None] | None = None

    async def send_all(self, items: AsyncIterator[Welcome | Snapshot | Frame], identity: auth.Identity) -> None:
        """What the hub brings, until it closes or the client does not take it."""
        async for item in items:
            if isinstance(item, Frame):
                text = item.text
            elif isinstance(item, Welcome):
                text = welcome_frame(item, identity.user_id, identity.username)
            else:
                text = reset_frame(item)
            if not await self._send(text):
                return
        await self.close(RESTARTING, "the server restarts")

    async def receive_all(self) -> None:
        """What the client says, until it leaves."""
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await self._websocket.receive_text()
                if len(text.encode()) > LARGEST_FRAME:
                    await self.close(TOO_BIG, "a frame may have 4 KiB")
                    return
                if not self._afford():
                    await self.close(FLOODING, "too many frames")
                    return
                if not await self._send(_reply(text)):
                    return

    def end_session(self) -> None:
        """The session ended: tell the client not to come back with it."""
        self._closing = asyncio.create_task(self.close(SESSION_ENDED, "the session has ended"))

    async def close(self, code: int, reason: str) -> None:
        """Close, whoever has closed before."""
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(SEND_WITHIN):
                if self._websocket.application_state is WebSocketState.CONNECTED:
                    await self._websocket.close(code, reason)

    async def _send(self, text: str) -> bool:
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await self._websocket.send_text(text)
        except TimeoutError:
            await self.close(TOO_SLOW, "the client does not read")
            return False
        except (RuntimeError, WebSocketDisconnect):
            return False
        return True

    def _afford(self) -> bool:
        now = time.monotonic()
        self._credit = min(FRAMES_AT_ONCE, self._credit + (now - self._credited_at) * FRAMES_A_SECOND) - 1
        self._credited_at = now
        return self._credit >= 0


def _reply(text: str) -> str:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        said = None
    match said:
        case {"type": "ping", **rest}:
            answer = {"type": "pong", **({"id": rest["id"]} if "id" in rest else {})}
        case {"type": "echo", "data": data}:
            answer = {"type": "echo", "data": data}
        case _:
            answer = {"type": "error", "message": 'A frame is JSON: {"type": "ping"} or {"type": "echo", "data": …}.'}
    return orjson.dumps(answer).decode()


async def _admit(websocket: WebSocket) -> tuple[auth.Identity, int | None, str | None]:
    if not auth.allowed_origin(websocket):
        raise Forbidden
    identity = await auth.identify(websocket)
    if identity is None:
        raise Unauthenticated
    after = websocket.query_params.get("after")
    if after is not None and not (after.isdecimal() and len(after) <= 18):
        raise Invalid(fields={"after": "takes the seq of the last event that was seen, or 0"})
    return identity, int(after) if after is not None else None, websocket.query_params.get("epoch")


async def _deny(websocket: WebSocket, response: Response) -> None:
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(response)
    else:
        await websocket.close()
