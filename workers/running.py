"""An attempt in a slot."""

from dataclasses import dataclass
from pathlib import Path

from app.tasks.model import Claim
from workers.assignment import Stop
from workers.progress import Progress


@dataclass(slots=True)
class Running:
    """What the runtime knows of an attempt. `folder` is its own; it is made when it is needed."""

    claim: Claim
    stop: Stop
    progress: Progress
    folder: Path
    releasing: bool = False  # the worker stops: the task goes back to the queue
    ending: bool = False  # its end is being written
    void: bool = False  # the claim is lost: write nothing

    def give_up(self) -> None:
        """The claim holds no longer: end the work, write nothing."""
        self.void = True
        self.stop.abandon()

    def release(self) -> None:
        """End the work, and give the task back to the queue."""
        self.releasing = True
        self.stop.abandon()
