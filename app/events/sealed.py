"""Messages between processes: signed, so that nobody who reaches the broker can tell a user anything.

A message of frames is the signature, a line of JSON about the frames, and each frame on a line as it will be sent: the frames are never parsed on the way.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Sequence
from typing import Any, Final

import orjson

from app.events.model import Frame

log = logging.getLogger(__name__)

SIGNATURE: Final = 16  # bytes
# What a message is for is part of its signature: one kind cannot be replayed as the other.
FRAMES: Final = b"taskline.frames"
SIGNAL: Final = b"taskline.signal"


class OtherEpoch(Exception):
    """The message is of another history: the process that sent it, or this one, has not yet seen that the database was restored."""


class Seal:
    """`key`: the deployment's, at most 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._origin = secrets.token_hex(4)

    def frames(self, epoch: str, user_id: int, frames: Sequence[Frame]) -> bytes:
        """The message that carries frames of one user."""
        about = {
            "e": epoch,
            "u": user_id,
            "o": self._origin,
            "s": [frame.seq for frame in frames],
            "t": [frame.task_id for frame in frames],
            "f": [frame.final for frame in frames],
        }
        return self._sign(FRAMES, b"\n".join((orjson.dumps(about), *(frame.text.encode() for frame in frames))))

    def open_frames(self, message: bytes, epoch: str, user_id: int) -> list[Frame]:
        """The frames; none where the message is forged, broken, or of another user. Raises `OtherEpoch`.

        Progress that this process sent itself is left out: its hub has had it, and an echo would run after newer progress.
        """
        body = self._checked(FRAMES, message)
        if body is None:
            return []
        first, *texts = body.split(b"\n")
        try:
            about = orjson.loads(first)
            if about["u"] != user_id:
                log.warning("a message for user %r was dropped", about["u"])
                return []
            if about["e"] != epoch:
                raise OtherEpoch
            own = about["o"] == self._origin
            return [
                Frame(user_id, seq, text.decode(), task_id, final)
                for seq, task_id, final, text in zip(about["s"], about["t"], about["f"], texts, strict=True)
                if seq is not None or not own
            ]
        except (ValueError, KeyError, TypeError):
            # A release with other messages may run beside this one for a while; the log has the events.
            log.warning("a message that makes no sense here was dropped", exc_info=True)
            return []

    def signal(self, payload: dict[str, Any]) -> bytes:
        """A message that carries a small object."""
        return self._sign(SIGNAL, orjson.dumps(payload))

    def open_signal(self, message: bytes) -> dict[str, Any] | None:
        """The object; None where the message is forged."""
        body = self._checked(SIGNAL, message)
        return None if body is None else orjson.loads(body)

    def _sign(self, kind: bytes, body: bytes) -> bytes:
        return self._signature(kind, body) + body

    def _signature(self, kind: bytes, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=SIGNATURE, key=self._key, person=kind).digest()

    def _checked(self, kind: bytes, message: bytes) -> bytes | None:
        signature, body = message[:SIGNATURE], message[SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(kind, body)):
            log.warning("a message with a wrong signature was dropped: %r", message[:80])
            return None
        return body
