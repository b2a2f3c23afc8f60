"""How a child process died, in words for the owner of the task that it ran."""

import signal
from dataclasses import dataclass
from typing import Final

from workers.allowance import Breach

_HINTS: Final[dict[int, str]] = {
    signal.SIGKILL: "It may have used more memory than there is; give it less to do.",
    signal.SIGSEGV: "A library that it uses has a fault: it touched memory that is not its own. Try another input.",
    signal.SIGBUS: "A library that it uses has a fault, or the disk is full. Try another input.",
    signal.SIGABRT: "A library that it uses gave up; the task's log may say why. It may have run out of memory.",
    signal.SIGFPE: "A library that it uses divided by zero, or the like. Try another input.",
    signal.SIGILL: "A library that it uses was made for another processor than the worker's.",
    signal.SIGXCPU: "It used up the processor time that the worker's system allows.",
    signal.SIGXFSZ: "It wrote a larger file than the worker's system allows.",
    signal.SIGSYS: "It did what the worker's system forbids.",
}
_BY_HAND: Final = "Somebody, or the system that the worker runs on, has ended it. Start it again."
_BY_ITSELF: Final = (
    "The workload, or a library that it uses, ends its process instead of returning; the task's log may say why."
)


@dataclass(frozen=True, slots=True)
class Death:
    """A child that died under its work. `ours`: this worker has killed it; `breach`: for that."""

    status: int  # as `subprocess` has it: the exit status, or minus the signal
    ours: bool
    breach: Breach | None = None

    @property
    def message(self) -> str:
        """What happened."""
        if self.status >= 0:
            return f"The process running this task ended by itself, with exit status {self.status}"
        try:
            name = f" ({signal.Signals(-self.status).name})"
        except ValueError:
            name = ""
        return f"The process running this task was killed by signal {-self.status}{name}"

    @property
    def hint(self) -> str:
        """What may have led to it, and what to do."""
        return _BY_ITSELF if self.status >= 0 else _HINTS.get(-self.status, _BY_HAND)
