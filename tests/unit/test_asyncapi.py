"""The AsyncAPI document describes what the code sends."""

from uuid import uuid4

import jsonschema_rs
import orjson
import pytest

from app.events.frames import read_frame
from app.notifications.model import Reading
from app.tasks.document import progress_frame
from app.web.asyncapi import SENT, asyncapi


def _valid(message: str, frame: object) -> bool:
    document = asyncapi()
    schema = {**document["components"]["messages"][message]["payload"], "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema).is_valid(frame)


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi()
    for message in document["channels"]["live"]["messages"].values():
        assert message["$ref"].rpartition("/")[2] in document["components"]["messages"]
    for operation in document["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].rpartition("/")[2] in document["channels"]["live"]["messages"]


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ("welcome", {"type": "welcome", "epoch": "e", "seq": 3, "user": {"id": 1, "username": "ada"}}),
        ("reset", {"type": "reset", "epoch": "e", "seq": 3, "tasks": []}),
        ("status", {"type": "status", "down": ["database", "events"]}),
        ("read", orjson.loads(read_frame(Reading(seq=2, head=5, unread=1, muted=("work",)).document()))),
        ("pong", {"type": "pong"}),
        ("echoed", {"type": "echo", "data": [1, None]}),
        ("error", {"type": "error", "message": "?"}),
    ],
)
def test_frames_are_as_described(message: str, frame: object) -> None:
    assert _valid(message, frame)
    assert not _valid(message, {"type": "other"})


def test_progress_is_as_described() -> None:
    assert _valid("progress", orjson.loads(progress_frame(1, uuid4(), 1, 0.5, "half").text))


def test_every_message_says_what_it_is_for() -> None:
    assert all(message["summary"] for message in SENT.values())
