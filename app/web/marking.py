"""What somebody says of their notifications, by page or REST: it is written, then every open page of theirs is told."""

from typing import Final

from starlette.requests import Request

from app.errors import NotFound
from app.web.api import resources
from app.web.readers import Readers

NO_WORKLOAD: Final = "There is no such workload."


async def mark(request: Request, user_id: int, seq: int) -> None:
    """All up to `seq` is read."""
    await resources(request).notifications.mark(user_id, seq)
    await _tell(request, user_id)


async def mute(request: Request, user_id: int, workload: str) -> None:
    """Tell of the ends of this workload no more, also where a former name of it is given. Raises `NotFound`."""
    known = await resources(request).catalogue.get(workload)
    if known is None:
        raise NotFound(NO_WORKLOAD)
    await resources(request).notifications.mute(user_id, known.name)
    await _tell(request, user_id)


async def unmute(request: Request, user_id: int, workload: str) -> None:
    """Tell of them again. Neither one that was never muted nor one that is gone is an error."""
    await resources(request).notifications.unmute(user_id, workload)
    await _tell(request, user_id)


async def _tell(request: Request, user_id: int) -> None:
    readers: Readers = request.app.state.readers
    await readers.changed(user_id)
