"""Events over plain HTTP: pages of the log, and a stream of server-sent events with the websocket's frames."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.accounts import Identity
from app.errors import Conflict, TooMany
from app.events.follower import Follower
from app.events.model import Frame, OutOfRange, Position, Snapshot
from app.web.api import limit, resources
from app.web.auth import require
from app.web.following import asked_position, may_go_on, sequence_number, text_of
from app.web.sockets import Sockets

MOST_LISTED: Final = 500
HEARTBEAT: Final = 15.0  # seconds; proxies close what is silent for longer
SEND_WITHIN: Final = 10.0  # seconds for the client to take an event
RETRY: Final = b"retry: 2000\n\n"  # ms until a browser comes back


async def list_events(request: Request) -> Response:
    """`GET /events`: `next` is the `after` of the following page, null at the end. Without `after`, from the oldest that is kept.

    409 where the log does not reach back to `after`.
    """
    user = await require(request)
    asked, most = request.query_params.get("after"), limit(request, 100, MOST_LISTED)
    after = None if asked is None else sequence_number(asked)
    try:
        epoch, frames = await resources(request).log.page(user.user_id, after, most + 1)
    except OutOfRange:
        raise Conflict(
            "The log does not reach back to there, or not that far yet.",
            hint="List the tasks, or ask without after for the oldest events that are kept.",
        ) from None
    following = frames[most - 1].seq if len(frames) > most else "null"
    items = ",".join(frame.text for frame in frames[:most])
    return Response(f'{{"epoch":"{epoch}","items":[{items}],"next":{following}}}', media_type="application/json")


async def stream_events(request: Request) -> Response:
    """`GET /events/stream`: an event's id is `seq@epoch`; `Last-Event-ID` resumes as the websocket's `after` and `epoch` do."""
    user = await require(request)
    after, epoch = asked_position(request.query_params)
    if last := request.headers.get("last-event-id"):
        seq, _, epoch = last.partition("@")
        after, epoch = sequence_number(seq), epoch or None
    if request.method == "HEAD":
        return Response(media_type=EventStream.media_type)
    return EventStream(request, user, after, epoch)


class EventStream(Response):
    """Server-sent events, until the client leaves, its session ends or the server restarts."""

    media_type = "text/event-stream"

    def __init__(self, request: Request, user: Identity, after: int | None, epoch: str | None) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hub = resources(request).hub
        self._sessions = resources(request).sessions
        self._sockets: Sockets = request.app.state.sockets
        self._user = user
        self._after = after
        self._epoch = epoch

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends. Raises `TooMany` before anything is sent."""
        with (
            self._hub.follow(self._user.user_id, self._after, self._epoch) as follower,
            self._sockets.add(self._user, follower.end) as fits,
        ):
            if not fits:
                raise TooMany("You have too many sockets and streams open.", retry_after=10)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            leaving = asyncio.create_task(_until_left(receive, follower))
            try:
                await self._stream(follower, send)
            finally:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
        # Waits for a client that does not read until the server cuts the connection, and holds nothing else meanwhile.
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, follower: Follower, send: Send) -> None:
        chunk, more = RETRY, True
        epoch = self._epoch or ""
        while more:
            try:
                async with asyncio.timeout(SEND_WITHIN):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except TimeoutError:
                return  # it does not read
            try:
                async with asyncio.timeout(HEARTBEAT):
                    item = await anext(follower)
            except TimeoutError:
                chunk = b": still here\n\n"
            except StopAsyncIteration:
                more = False
            else:
                if not await may_go_on(item, self._user, self._sessions):
                    return
                epoch = item.epoch if not isinstance(item, Frame) else epoch
                chunk = self._event(item, epoch)

    def _event(self, item: Position | Snapshot | Frame, epoch: str) -> bytes:
        data = f"data: {text_of(item, self._user)}\n\n"
        # A client that resumes has not had what lies between its position and that of the welcome.
        without_id = item.seq is None or (isinstance(item, Position) and self._after is not None)
        return (data if without_id else f"id: {item.seq}@{epoch}\n{data}").encode()


async def _until_left(receive: Receive, follower: Follower) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    follower.end()
