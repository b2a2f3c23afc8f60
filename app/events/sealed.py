"""Messages between processes: signed, so that nobody who reaches the broker can tell a user anything, and never parsed more than needed.

A message of frames is the signature, a line of JSON about them, and each frame on a line as it will be sent.
"""

import hashlib
import hmac
import logging
from collections.abc import Sequence
from typing import Any

import orjson

from app.events.model import Frame

log = logging.getLogger(__name__)

SIGNATURE = 32  # hex digits


class Seal:
    """`key`: the deployment's, at most 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def frames(self, epoch: str, user_id: int, frames: Sequence[Frame]) -> str:
        """The message that carries frames of one user."""
        about = [epoch, user_id, [[frame.seq, frame.task_id, frame.final] for frame in frames]]
        return self._sign("\n".join((orjson.dumps(about).decode(), *(frame.text for frame in frames))))

    def open_frames(self, message: str, epoch: str, user_id: int) -> list[Frame]:
        """The frames; none where the message is forged, or of another epoch or user."""
        body = self._checked(message)
        if body is None:
            return []
        about, *texts = body.split("\n")
        of_epoch, of_user, each = orjson.loads(about)
        if of_epoch != epoch or of_user != user_id:
            log.warning("a message for user %r of epoch %r was dropped", of_user, of_epoch)
            return []
        return [Frame(user_id, seq, text, task_id, final) for (seq, task_id, final), text in zip(each, texts, strict=True)]

    def signal(self, payload: dict[str, Any]) -> str:
        """A message that carries a small object."""
        return self._sign(orjson.dumps(payload).decode())

    def open_signal(self, message: str) -> dict[str, Any] | None:
        """The object; None where the message is forged."""
        body = self._checked(message)
        return None if body is None else orjson.loads(body)

    def _sign(self, body: str) -> str:
        return f"{self._signature(body)}{body}"

    def _signature(self, body: str) -> str:
        return hashlib.blake2b(body.encode(), key=self._key, digest_size=SIGNATURE // 2).hexdigest()

    def _checked(self, message: str) -> str | None:
        body = message[SIGNATURE:]
        if not hmac.compare_digest(message[:SIGNATURE].encode(), self._signature(body).encode()):
            log.warning("a message with a wrong signature was dropped: %r", message[:80])
            return None
        return body
