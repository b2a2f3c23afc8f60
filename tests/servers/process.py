"""One server process with all that it starts: start, stop, kill, freeze, thaw, restart on the same port and data."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

GUARD: Final = Path(__file__).with_name("guard.py")


STARTED: Final[dict[str, str]] = {}  # versions of all that this process has started, by name


class ServerError(Exception):
    """A server did not start, did not stop, or is not installed."""


class Server(ABC):
    """A private server in a folder of its own. Every method blocks: call it by `asyncio.to_thread` where a loop must go on.

    It ends with the process that started it, even when that is killed.
    """

    name: str
    start_seconds = 60.0
    stop_seconds = 30.0
    patience = 0.0  # seconds that processes may outlive the server that started them, before they are noted as `left_behind` and killed

    def __init__(self, port: int) -> None:
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix=f"taskline-{self.name.lower()}-"))
        self.log = self.folder / "log"
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL that a Taskline setting takes."""

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the installed program, such as 15.14."""

    @abstractmethod
    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """The program with its arguments, and what it needs in its environment."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server speaks its protocol and takes requests. Raises OSError while nothing listens."""

    @abstractmethod
    def _stop_signal(self) -> tuple[int, signal.Signals]:
        """The process and the signal that stop the server in good order."""

    def _user(self) -> str:
        return "-"

    @property
    def running(self) -> bool:
        """Whether the server's process lives; a frozen one does."""
        return self._guard is not None and self._guard.poll() is None

    def launch(self) -> None:
        """Start the process without waiting; `wait_ready` does."""
        if self.running:
            return
        command, environment = self._command()
        STARTED[self.name] = self.version
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(self.folder), self._user(), str(self.patience), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return once the server answers. Raises ServerError with the log where it ends or stays silent instead."""
        deadline = time.monotonic() + self.start_seconds
        while self.running:
            with suppress(OSError):
                if self._answers():
                    return
            if time.monotonic() > deadline:
                break
            time.sleep(0.03)  # a port says nothing to those who wait for it
        state = "did not answer in time" if self.running else "ended"
        raise ServerError(
            f"{self.name} {self.version} on port {self.port} {state}; its log ends with:\n{self.log_tail()}"
        )

    def start(self) -> None:
        """Start the server and wait until it answers; nothing to do where it runs."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """Stop the server in good order, keeping port and data."""
        if self.running:
            self.thaw()
            pid, number = self._stop_signal()
            os.kill(pid, number)
            self.wait_ended()

    def kill(self) -> None:
        """End every process of the server at once, as kill -9 or a lack of memory does, keeping port and data."""
        if self.running:
            self._signal_all(signal.SIGKILL)
            self.wait_ended()

    def crash(self) -> None:
        """End the main process alone, as the kernel does that lacks memory: all that it started must notice by itself."""
        os.kill(self.main_pid, signal.SIGKILL)
        self.wait_ended()

    @property
    def left_behind(self) -> list[str]:
        """Processes that outlived the server by more than `patience`, each time that it ended: number and command."""
        noted = self.folder / "left-behind"
        return noted.read_text().splitlines() if noted.exists() else []

    def restart(self) -> None:
        """Stop and start again on the same port and data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop every process of the server where it is: connections stay open and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal_all(signal.SIGCONT)

    @contextmanager
    def served(self) -> Iterator[Self]:
        """Started, and closed in the end, however the start went."""
        try:
            self.start()
            yield self
        finally:
            self.close()

    def close(self) -> None:
        """End the server and remove its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self, since: int = 0, most: int = 4000) -> str:
        """The end of the log: at most `most` bytes of what came after byte `since`."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(since, self.log.stat().st_size - most))
            return log.read().decode(errors="replace")

    @property
    def main_pid(self) -> int:
        """The process that the guard started. Raises ServerError where the server does not run."""
        if self.running and self._guard and (children := children_of(self._guard.pid)):
            return children[0]
        raise ServerError(f"{self.name} does not run")

    def _signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server, and to those forked meanwhile."""
        reached: set[int] = set()
        while self._guard and (new := set(descendants_of(self._guard.pid)) - reached):
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            reached |= new

    def wait_ended(self) -> None:
        """Return once the server has ended, however it does. Raises ServerError where it goes on."""
        if self._guard is None:
            return
        try:
            self._guard.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            raise ServerError(
                f"{self.name} did not end within {self.stop_seconds:g} s; its log ends with:\n{self.log_tail()}"
            ) from None
        if self._guard.stdin:
            self._guard.stdin.close()


def children_of(pid: int) -> list[int]:
    """The children of each thread of `pid` in the order in which it got them, the orphans that it took over too; none where it has ended."""
    # Not by number: numbers begin anew at some time, and an orphan's may be lower than that of the program that left it.
    found: list[int] = []
    with suppress(OSError):  # the process has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # or the thread
                found += map(int, (task / "children").read_text().split())
    return found


def descendants_of(pid: int) -> list[int]:
    """All that `pid` started and all that those started, parents before their children."""
    found = children_of(pid)
    for child in found:
        found += children_of(child)
    return found
