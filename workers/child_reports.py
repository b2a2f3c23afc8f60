"""How a child process tells its parent what its work reports."""

import os
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from taskline import Cancelled
from workers.interrupts import Interrupts
from workers.wire import Log, Message, Progress, Work

EVERY: Final = 0.1  # seconds between two lines of progress


class Channel:
    """Writes lines to the parent, from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """One line, whole."""
        line = message.model_dump_json().encode() + b"\n"
        with self._lock:
            self._connection.sendall(line)


class Reporter:
    """Sends the newest progress, ten times a second at most; its thread sleeps while no work runs."""

    def __init__(self, channel: Channel, parent: int) -> None:
        self._channel = channel
        self._parent = parent
        self._working = threading.Event()
        self._sending = threading.Lock()
        self._newest: Progress | None = None
        self._sent: Progress | None = None
        self._next = 0.0  # monotonic; when the next line may be sent
        threading.Thread(target=self._run, name="reporter", daemon=True).start()

    def begin(self) -> None:
        """Work starts."""
        self._newest = self._sent = None
        self._next = 0.0
        self._working.set()

    def end(self) -> None:
        """Work has ended: nothing is reported after its ending, which the next work would be credited with."""
        with self._sending:
            self._working.clear()

    def put(self, progress: Progress) -> bool:
        """The newest progress; whether it may be sent at once."""
        self._newest = progress
        return time.monotonic() >= self._next

    def send(self) -> None:
        """Send the newest, unless it has been; where another thread is about to send, that goes on."""
        if self._sending.acquire(blocking=False):
            try:
                self._send()
            finally:
                self._sending.release()

    def _run(self) -> None:
        while self._working.wait():
            # Where the kernel does not kill orphans, this does.
            if os.getppid() != self._parent:
                os._exit(1)
            with self._sending:
                self._send()
            time.sleep(EVERY)

    def _send(self) -> None:
        newest = self._newest
        if newest is not None and newest is not self._sent and self._working.is_set():
            self._sent = newest
            self._next = time.monotonic() + EVERY
            self._channel.send(newest)


class Host:
    """What a Context reports to in a child; implements `taskline.context.Host`."""

    def __init__(self, channel: Channel, reporter: Reporter, work: Work, interrupts: Interrupts) -> None:
        self._channel = channel
        self._reporter = reporter
        self._interrupts = interrupts
        self.open = True  # a thread that the work left behind reports nothing after its end
        self._folder = work.folder
        self._deadline = time.monotonic() + work.remaining_s

    def progress(self, fraction: float | None, message: str) -> None:
        """Tell it at once where nothing was told a moment ago: what comes next may let no other thread of this process run."""
        if self.open and self._reporter.put(Progress.model_construct(fraction=fraction, message=message)):
            with self._interrupts.held_back():
                self._reporter.send()

    def log(self, level: Literal["debug", "info", "warning", "error"], text: str) -> None:
        """Send a line at once, so that it outlives a kill."""
        with self._interrupts.held_back():
            if self.open:
                self._channel.send(Log(at=datetime.now(UTC), level=level, text=text))

    def folder(self) -> Path:
        """The attempt's folder; the parent made it."""
        return self._folder

    def cancelled(self) -> bool:
        """Whether the interrupt has come."""
        return self._interrupts.asked

    def sleep(self, seconds: float) -> None:
        """Sleep; the interrupt ends it."""
        if self._interrupts.asked:
            raise Cancelled
        time.sleep(seconds)

    def remaining(self) -> float:
        """Seconds until the time limit."""
        return self._deadline - time.monotonic()
