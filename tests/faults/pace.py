"""How fast the rows run, and what may be promised at that pace: every bound comes from the settings."""

import os
from dataclasses import dataclass
from typing import Final

from app.settings import Settings

RECHECK: Final = 5.0  # seconds that an event is late at most where its broker lost it (docs/events.md)
SLACK: Final = 1.0  # seconds for a claim, a start and an end on a busy machine, where a bound is made of waits alone


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, named as in the settings."""

    lease: float
    heartbeat: float
    sweep: float
    poll: float

    @property
    def settings(self) -> dict[str, str]:
        """As settings of a process."""
        return {
            "lease_seconds": str(self.lease),
            "heartbeat_seconds": str(self.heartbeat),
            "sweep_seconds": str(self.sweep),
            "poll_seconds": str(self.poll),
        }

    @property
    def fence(self) -> float:
        """After so long without a good heartbeat a worker has killed its work."""
        return 0.7 * self.lease

    def dead_worker(self, lost: int = 1) -> float:
        """Until a dead worker's task is due again, where another one has been watching for a lease: its lease, a sweep, the backoff of its `lost` th loss."""
        return self.lease + self.sweep + float(min(300, 2**lost)) + SLACK

    @property
    def lost_hint(self) -> float:
        """Until a task that nobody was told of starts on an idle worker: a poll (jittered by a fifth)."""
        return 1.2 * self.poll + SLACK


def _value(name: str) -> float:
    return float(Settings.model_fields[name].default)


USUAL: Final = Pace(*(_value(f"{name}_seconds") for name in ("lease", "heartbeat", "sweep", "poll")))
SHORT: Final = Pace(lease=2.0, heartbeat=0.4, sweep=0.2, poll=1.0)
PACE: Final = USUAL if os.environ.get("FAULTS_PACE") == "default" else SHORT
