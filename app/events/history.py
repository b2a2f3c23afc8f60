"""Which history of events this process follows. A restored database has another one, and there is a moment until a process has seen that."""

from collections.abc import Callable
from typing import Final

from app.events.model import Frame

UNKNOWN: Final = -1  # an origin that no frame has


class History:
    """`epoch` names it for clients, `origin` is the table that its events are committed to (None where the database does not tell)."""

    def __init__(self, epoch: str, origin: int | None = None) -> None:
        self.epoch = epoch
        self.origin = origin
        self.on_suspicion: Callable[[], None] = lambda: None  # the hub's: look at once

    def holds(self, frame: Frame) -> bool:
        """Whether a frame that was committed here a moment ago belongs to it. One that does not may be told to nobody: its number counts in another log."""
        if frame.origin is None or self.origin is None or frame.origin == self.origin:
            return True
        self.on_suspicion()
        return False

    def doubt(self) -> None:
        """The database may be another one than before: nothing that is committed is told, until somebody has looked."""
        self.origin = UNKNOWN
        self.on_suspicion()
