"""What followers hear, as values, and where they can read it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

GAP: Final = b""  # the message of a broker's backend that tells of a (re)subscription, or of messages that were dropped


@dataclass(frozen=True, slots=True)
class Frame:
    """A ready JSON text of one user, without line breaks.

    `seq` is None for progress, which may be dropped; `final`: no progress of the task comes after it. `origin`: the table that has the event, where this
    process has just committed it to a database that tells.
    """

    user_id: int
    seq: int | None
    text: str
    task_id: str
    final: bool
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages may have been missed before this; from here on none is."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a user's log stands: sequence numbers of another epoch mean nothing."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where several logs stand, read as one; users without a log are missing. `origin`: the table that has them, where the database tells."""

    epoch: str
    origin: int | None
    heads: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a client needs that cannot resume: its tasks' cards (JSON texts), as of `seq`."""

    epoch: str
    seq: int
    cards: Sequence[str]


class OutOfRange(Exception):
    """The log does not reach back to this position, or not yet that far, or it is another log."""


class Log(Protocol):
    """The committed events, in the database. Every method raises `Unavailable`."""

    async def since(self, user_id: int, after: int, limit: int, epoch: str | None = None) -> list[Frame]:
        """Events (of `epoch`, where one is asked for) with `seq` over `after`, in order. Raises `OutOfRange`."""
        ...

    async def standing(self, user_ids: Sequence[int]) -> Standing:
        """Which history this is, and where several logs stand."""
        ...

    async def snapshot(self, user_id: int) -> Snapshot:
        """Position and cards, read as one."""
        ...
