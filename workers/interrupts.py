"""The interrupt of a child process: how its parent asks the running work to end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from taskline import Cancelled
from workers.wire import INTERRUPT


class Interrupts:
    """Raises `Cancelled` in the main thread when the parent asks, once, and only while author's code runs there."""

    def __init__(self) -> None:
        self.asked = False
        self._open = False
        self._held = False
        signal.signal(INTERRUPT, self._strike)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """The interrupt may strike inside; at once where it came before."""
        try:
            self._open = True
            self._raise_if_asked()
            yield
        finally:
            self._open = False

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """The interrupt waits until the block ends, so that no line is cut in two."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self._raise_if_asked()

    def _strike(self, *_: object) -> None:
        self.asked = True
        if not self._held:
            self._raise_if_asked()

    def _raise_if_asked(self) -> None:
        # Closed by the first: what the work does in its own `finally` is left alone.
        if self.asked and self._open:
            self._open = False
            raise Cancelled
