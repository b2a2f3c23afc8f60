"""An attempt in a slot."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from app.tasks.model import Claim
from workers.assignment import Stop
from workers.log_book import LogBook
from workers.progress import Progress


@dataclass(slots=True)
class Running:
    """What the runtime knows of an attempt. `folder` is its own; it is made when it is needed."""

    claim: Claim
    stop: Stop
    progress: Progress
    folder: Path
    book: LogBook = field(default_factory=LogBook)  # its log
    storing: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while a piece of its log is on its way
    ending: bool = False  # its end is being written
    void: bool = False  # the claim is lost: write nothing

    def give_up(self) -> None:
        """The claim holds no longer: end the work, write nothing."""
        self.void = True
        self.stop.abandon()

    def hand_back(self) -> None:
        """End the work, and give the task back to the queue."""
        if not self.ending:
            self.stop.withdraw()
