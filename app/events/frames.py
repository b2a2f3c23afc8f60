"""The frames that are about the connection itself, as JSON texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.events.model import Position, Snapshot


def welcome_frame(position: Position, user_id: int, username: str) -> str:
    """Whose events these are, and where the log stands."""
    user = {"id": user_id, "username": username}
    return orjson.dumps({"type": "welcome", "epoch": position.epoch, "seq": position.seq, "user": user}).decode()


def status_frame(down: Sequence[str]) -> str:
    """Which parts of the service do not answer."""
    return orjson.dumps({"type": "status", "down": down}).decode()


def read_frame(reading: Mapping[str, Any]) -> str:
    """How far the user has read; `reading` is that of `app.notifications`, in JSON."""
    return orjson.dumps({"type": "read", **reading}).decode()


def reset_frame(snapshot: Snapshot) -> str:
    """The client cannot resume: the tasks as they are now."""
    cards = [orjson.Fragment(card) for card in snapshot.cards]
    return orjson.dumps({"type": "reset", "epoch": snapshot.epoch, "seq": snapshot.seq, "tasks": cards}).decode()
