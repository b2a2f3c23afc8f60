"""What followers hear, as values, and where they can read it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Frame:
    """A ready JSON text of one user, without line breaks.

    `seq` is None for progress, which may be dropped; `final`: no progress of the task comes after it.
    """

    user_id: int
    seq: int | None
    text: str
    task_id: str
    final: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages may have been missed before this; from here on none is."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a user's log stands: sequence numbers of another epoch mean nothing."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a client needs that cannot resume: its tasks' cards (JSON texts), as of `seq`."""

    epoch: str
    seq: int
    cards: Sequence[str]


class OutOfRange(Exception):
    """The log does not reach back to this position, or not yet that far."""


class Log(Protocol):
    """The committed events, in the database. Every method raises `Unavailable`."""

    async def since(self, user_id: int, after: int, limit: int) -> list[Frame]:
        """Events with `seq` over `after`, in order. Raises `OutOfRange`."""
        ...

    async def positions(self, user_ids: Sequence[int]) -> dict[int, int]:
        """Where several logs stand, in one read; users without a log are missing."""
        ...

    async def epoch(self) -> str:
        """Which history this is."""
        ...

    async def snapshot(self, user_id: int) -> Snapshot:
        """Position and cards, read as one."""
        ...
