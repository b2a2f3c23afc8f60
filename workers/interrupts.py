"""The interrupt of a child process: how its parent asks the running work to end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from taskline import Cancelled
from workers.wire import INTERRUPT

# Does nothing but end a system call. A service manager may send it to every process of the service, and the worker decides when work ends; it is not
# ignored, since that would outlive an exec.
_NUDGE: Final = signal.SIGTERM
_AGAIN: Final = 0.02  # seconds


class Interrupts:
    """Raises `Cancelled` in the main thread when the parent asks, once, and only while author's code runs there."""

    def __init__(self) -> None:
        self.asked = False
        self._open = False
        self._held = False
        self._instead: Callable[[], object] | None = None
        signal.signal(INTERRUPT, self._strike)
        signal.signal(_NUDGE, lambda *_: None)
        heard, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        threading.Thread(target=self._nudge, args=(heard,), name="interrupts", daemon=True).start()

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
    def instead(self, end: Callable[[], object]) -> Iterator[None]:
        """The interrupt calls `end` inside, where it is allowed, instead of raising."""
        try:
            self._instead = end
            yield
        finally:
            self._instead = None

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
            if self._instead is None:
                raise Cancelled
            self._instead()

    def _nudge(self, heard: int) -> None:
        # The kernel may hand the interrupt to any thread, or to the main one just before it goes to sleep: then Python, which handles signals in the main
        # thread alone, would not hear of it until that wakes.
        while signals := os.read(heard, 4_096):
            while INTERRUPT in signals and not self.asked:
                signal.pthread_kill(threading.main_thread().ident or 0, _NUDGE)
                time.sleep(_AGAIN)
