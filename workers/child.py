"""The child's side of a process workload: `python -m workers.child FD PARENT` reads work from FD, line by line, and answers on it.

Started by exec and kept warm. It serves one workload, dies with its parent, and is interrupted by SIGUSR1.
"""

import ctypes
import functools
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from taskline import Cancelled, File, Workload
from taskline.context import Context
from workers.invocation import arguments, failure, load, success
from workers.wire import Ending, Log, Message, Progress, Ready, SentFile, Unsuccessful, Work

INTERRUPT: Final = signal.SIGUSR1
MARK: Final = b"\0taskline:"  # ends what a task printed, with the claim behind it
EVERY: Final = 0.1  # seconds between two lines of progress
_PR_SET_PDEATHSIG: Final = 1
_NICENESS: Final = 5  # the worker's loop, and the web process beside it, come first
_OOM_SCORE: Final = "500"  # where memory runs out, the kernel takes the task and not its worker


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
    """Keeps the newest progress and sends it ten times a second at most; sleeps while no work runs."""

    def __init__(self, channel: Channel, parent: int) -> None:
        self._channel = channel
        self._parent = parent
        self._working = threading.Event()
        self._sending = threading.Lock()
        self._newest: Progress | None = None
        self._last: Progress | None = None
        threading.Thread(target=self._run, name="reporter", daemon=True).start()

    def begin(self) -> None:
        """Work starts."""
        self._newest = self._last = None
        self._working.set()

    def end(self) -> None:
        """Work has ended: nothing is reported after its ending, which the next work would be credited with."""
        with self._sending:
            self._working.clear()

    def put(self, progress: Progress) -> None:
        """The newest progress."""
        self._newest = progress

    def _run(self) -> None:
        while self._working.wait():
            # Where the kernel does not kill orphans, this does.
            if os.getppid() != self._parent:
                os._exit(1)
            with self._sending:
                if self._newest is not self._last and self._working.is_set():
                    self._last = self._newest
                    self._channel.send(self._last)
            time.sleep(EVERY)


class Host:
    """What a Context reports to in a child; implements `taskline.context.Host`."""

    def __init__(self, channel: Channel, reporter: Reporter, work: Work, interrupts: "Interrupts") -> None:
        self._channel = channel
        self._reporter = reporter
        self._interrupts = interrupts
        self.open = True  # a thread that the work left behind reports nothing after its end
        self._folder = work.folder
        self._deadline = time.monotonic() + work.remaining_s

    def progress(self, fraction: float | None, message: str) -> None:
        """Keep it for the reporter."""
        if self.open:
            self._reporter.put(Progress.model_construct(fraction=fraction, message=message))

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


class Worker:
    """Runs one piece of work after the other in the main thread."""

    def __init__(self, channel: Channel, reporter: Reporter) -> None:
        self._channel = channel
        self._reporter = reporter
        self._interrupts = Interrupts()

    def run(self, work: Work) -> None:
        """Do it, and send its ending after everything that it printed."""
        host = Host(self._channel, self._reporter, work, self._interrupts)
        self._reporter.begin()
        ending = self._ending(work, host)
        host.open = False
        self._reporter.end()
        self._flush(work)
        self._channel.send(ending)

    def _ending(self, work: Work, host: Host) -> Ending:
        retry_on: tuple[str, ...] = ()
        context = Context(host, task_id=work.task_id, attempt=work.attempt, secrets=work.secrets)
        try:
            os.chdir(work.folder)
            tempfile.tempdir = str(work.folder)
            with self._interrupts.allowed():
                workload = _loaded(work.target)
                retry_on = workload.retry_on
                checked = arguments(workload, work.params, work.version, {one.id: _file(one) for one in work.files})
                return success(context, workload.call(context, checked))
        except BaseException as error:  # noqa: BLE001  whatever it is, the parent must hear of it
            return _told(error, retry_on)

    def _flush(self, work: Work) -> None:
        # Where the work has closed its output the parent misses the mark; it does not wait long for it.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(1, b"\n" + MARK + str(work.claim).encode() + b"\n")


def _told(error: BaseException, retry_on: tuple[str, ...]) -> Unsuccessful:
    try:
        return failure(error, retry_on)
    except Exception as other:  # noqa: BLE001  an exception whose own methods raise
        return Unsuccessful(
            kind="failed", message=f"{type(error).__name__} (it cannot be shown: {type(other).__name__})"
        )


@functools.cache
def _loaded(target: str) -> Workload[..., Any]:
    workload = load(target)
    if workload.warm is not None:
        workload.warm()
    return workload


def _file(sent: SentFile) -> File:
    return File(id=sent.id, name=sent.name, size=sent.size, sha256=sent.sha256, path=sent.path)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):  # a sandbox may forbid it
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def main() -> None:
    """Serve until the parent closes the line."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    os.set_inheritable(descriptor, False)  # programs that the work starts must not hold the line open
    os.nice(_NICENESS)
    # A service manager may send SIGTERM to every process of the service; the worker decides when work ends. No SIG_IGN: that would outlive an exec.
    signal.signal(signal.SIGTERM, lambda *_: None)
    connection = socket.socket(fileno=descriptor)
    channel = Channel(connection)
    worker = Worker(channel, Reporter(channel, parent))
    channel.send(Ready())
    with connection.makefile("rb") as lines:
        for line in lines:
            worker.run(Work.model_validate_json(line))
    os._exit(0)


if __name__ == "__main__":
    main()
