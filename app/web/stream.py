"""Events over plain HTTP: pages of the log, and a stream of server-sent events with the websocket's frames."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.accounts import Identity
from app.errors import Conflict, Invalid
from app.events.frames import reset_frame, welcome_frame
from app.events.hub import Welcome
from app.events.model import OutOfRange, Snapshot
from app.web.api import limit, resources
from app.web.auth import require
from app.web.sockets import Sockets

MOST_LISTED: Final = 500
HEARTBEAT: Final = 15.0  # seconds; proxies close what is silent for longer


async def list_events(request: Request) -> Response:
    """`GET /events?after=&limit=`: `next` is the `after` of the following page, null at the end."""
    user = await require(request)
    after, most = _after(request.query_params.get("after", "0")), limit(request, 100, MOST_LISTED)
    log = resources(request).log
    epoch = await log.epoch()
    try:
        frames = await log.since(user.user_id, after, most + 1)
    except OutOfRange:
        raise Conflict(
            "The log does not reach back to there, or not that far yet.",
            hint="List the tasks, then go on from the newest event.",
        ) from None
    following = frames[most - 1].seq if len(frames) > most else None
    items = ",".join(frame.text for frame in frames[:most])
    return Response(
        f'{{"epoch":"{epoch}","items":[{items}],"next":{following or "null"}}}', media_type="application/json"
    )


async def stream_events(request: Request) -> Response:
    """`GET /events/stream`: each event's id is `seq@epoch`, so that `Last-Event-ID` resumes as the websocket's `after` and `epoch` do."""
    user = await require(request)
    resume = request.headers.get("last-event-id") or _asked(request)
    seq, _, epoch = resume.partition("@")
    after = _after(seq) if resume else None
    return StreamingResponse(_events(request, user, after, epoch or None), media_type="text/event-stream")


async def _events(request: Request, user: Identity, after: int | None, epoch: str | None) -> AsyncIterator[str]:
    sockets: Sockets = request.app.state.sockets
    ended = asyncio.Event()
    with sockets.add(user, ended.set) as fits:
        if not fits:
            yield "event: error\ndata: too many streams and sockets of this user\n\n"
            return
        async with resources(request).hub.follow(user.user_id, after, epoch) as items:
            current, seq = epoch or "", after
            waiting = asyncio.ensure_future(ended.wait())
            following = asyncio.ensure_future(anext(items))
            try:
                while True:
                    await asyncio.wait([following, waiting], timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                    if waiting.done():
                        return
                    if not following.done():
                        yield ": still here\n\n"
                        continue
                    item = following.result()
                    following = asyncio.ensure_future(anext(items))
                    text, current, seq = _shown(item, user, current, seq)
                    yield f"id: {seq}@{current}\ndata: {text}\n\n" if seq is not None else f"data: {text}\n\n"
            except StopAsyncIteration:
                return  # the server restarts; the client comes back by itself
            finally:
                for future in (waiting, following):
                    future.cancel()
                await asyncio.gather(waiting, following, return_exceptions=True)


def _shown(item: Any, user: Identity, epoch: str, seq: int | None) -> tuple[str, str, int | None]:
    """The text of an item, and the position after it."""
    match item:
        case Welcome():
            return welcome_frame(item, user.user_id, user.username), item.epoch, item.seq if seq is None else seq
        case Snapshot():
            return reset_frame(item), item.epoch, item.seq
        case _:
            return item.text, epoch, item.seq if item.seq is not None else seq


def _asked(request: Request) -> str:
    after = request.query_params.get("after", "")
    return f"{after}@{request.query_params.get('epoch', '')}" if after else ""


def _after(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Invalid(fields={"after": "takes the seq of the last event that was seen, or 0"})
    return int(text)
