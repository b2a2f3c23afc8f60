"""How often a lane looks for work by itself: seldom while hints get through, often while they do not."""

import random
from typing import Final

SHORTEST: Final = 0.02  # seconds; after a look that found work, while no hints get through
LONGEST: Final = 0.5  # seconds; what a deaf lane that finds nothing works up to


class Pace:
    """`usual`: seconds between two looks of a lane that hears of work. With a fifth of jitter, so that workers do not look in step."""

    def __init__(self, usual: float) -> None:
        self._usual = usual
        self._quiet = SHORTEST

    def pause(self, *, deaf: bool) -> float:
        """Seconds until the next look, unless the bell rings before."""
        return random.uniform(0.8, 1.2) * (min(self._quiet, self._usual) if deaf else self._usual)

    def found(self, tasks: int) -> None:
        """A look found so many tasks."""
        self._quiet = SHORTEST if tasks else min(2 * self._quiet, LONGEST)
