"""What the websocket and the event stream have in common: where a client wants to go on, and what each item looks like."""

from collections.abc import Mapping
from typing import Final

from app.accounts import Identity, Sessions
from app.backoff import until_available
from app.errors import Invalid
from app.events.frames import reset_frame, welcome_frame
from app.events.model import Frame, Position, Snapshot

LONGEST_SEQ: Final = 18  # digits; more are no 64-bit number


def asked_position(query: Mapping[str, str]) -> tuple[int | None, str | None]:
    """`?after=SEQ&epoch=E`; without `after`, from now on. Raises `Invalid`."""
    after = query.get("after")
    return None if after is None else sequence_number(after), query.get("epoch") or None


def sequence_number(text: str, field: str = "after") -> int:
    """The number of an event, or 0. Raises `Invalid`."""
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_SEQ):
        raise Invalid(fields={field: "takes the seq of the last event that was seen, or 0"})
    return int(text)


async def may_go_on(item: Position | Snapshot | Frame, identity: Identity, sessions: Sessions) -> bool:
    """Whether `item` may be sent: a reset may come from a restored database, in which the session was never begun and the user's number is another's."""
    if not isinstance(item, Snapshot):
        return True
    sessions.forget(identity.session)
    return not await until_available(lambda: sessions.ended({identity.session}))


def text_of(item: Position | Snapshot | Frame, identity: Identity) -> str:
    """The JSON text of what a follower yields."""
    match item:
        case Frame():
            return item.text
        case Position():
            return welcome_frame(item, identity.user_id, identity.username)
        case Snapshot():
            return reset_frame(item)
