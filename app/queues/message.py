"""A message's body: `{"v":1,"lane":"light","tasks":["…"]}`. How many tasks counts; which ones is for tracing."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import orjson

VERSION: Final = 1
MOST_HINTS: Final = 16  # one message for many tasks is cheap; not too many, so that every idle worker gets some
MOST_WAITING: Final = (
    10_000  # messages kept a lane: without workers a broker need not hoard hints that the database knows anyway
)
SHOWN: Final = 200  # characters of a foreign body in a log line


class Malformed(ValueError):
    """This is no message of ours."""

    def __init__(self, body: object) -> None:
        # ascii() encodes line ends and control characters, so that a body cannot forge a log line.
        super().__init__(f"dropped a message that is none of ours: {ascii(body)[:SHOWN]}")


def pack(lane: str, tasks: Sequence[UUID]) -> list[bytes]:
    """The bodies that say that `tasks` wait in `lane`."""
    parts = (tasks[start : start + MOST_HINTS] for start in range(0, len(tasks), MOST_HINTS))
    return [orjson.dumps({"v": VERSION, "lane": lane, "tasks": part}) for part in map(list, parts)]


def unpack(lane: str, body: bytes | str) -> int:
    """How many hints `body` carries. Raises `Malformed`."""
    try:
        match orjson.loads(body):
            case {"v": 1, "lane": str(named), "tasks": [_, *_] as tasks} if named == lane and len(tasks) <= MOST_HINTS:
                return len(tasks)
    except (orjson.JSONDecodeError, TypeError):
        raise Malformed(body) from None
    raise Malformed(body)
