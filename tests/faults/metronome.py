"""How much slower the machine is than at its best, while tests run: their neighbours have its processors too, and so may others of the same host.

A bound that is promised holds where a processor is free. A metronome runs the same small program again and again, and a bound is stretched by how much longer that took.
Whoever measures recoveries for the docs runs none: nothing is stretched there.
"""

import subprocess
import sys
import threading
import time
from collections import deque
from typing import Final

EVERY: Final = 1.0  # seconds
FEWEST: Final = 3  # ticks that a factor is taken from
PROGRAM: Final = (sys.executable, "-I", "-S", "-c", "pass")


class Metronome:
    """Ticks between `start` and `stop`, in a thread."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[float, float]] = deque(maxlen=3600)  # (when it ended, seconds that it took)
        self._best = float("inf")
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. The first ticks find how fast the machine can be."""
        self._stopping.clear()
        for _ in range(FEWEST):
            self.tick()
        self._thread = threading.Thread(target=self._run, name="metronome", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None

    def tick(self) -> None:
        """Run the program once."""
        began = time.monotonic()
        subprocess.run(PROGRAM, check=True, stdin=subprocess.DEVNULL)
        self.note(time.monotonic() - began)

    def note(self, took: float) -> None:
        """The program has just taken so many seconds."""
        self._best = min(self._best, took)
        self._ticks.append((time.monotonic(), took))

    def slower(self, seconds: float) -> float:
        """By which factor the program took longer than at best, on average over the last so many seconds; 1 where no metronome runs."""
        if self._thread is None:
            return 1.0
        since = time.monotonic() - seconds
        ticks = list(self._ticks)
        took = [took for ended, took in ticks if ended >= since]
        if len(took) < FEWEST:
            took = [took for _, took in ticks[-FEWEST:]]
        return sum(took) / len(took) / self._best

    def _run(self) -> None:
        while not self._stopping.wait(EVERY):
            self.tick()


METRONOME: Final = Metronome()
