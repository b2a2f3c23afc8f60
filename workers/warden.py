"""Looks at what runs in child processes, and kills what goes over its limits: a thread, so that no busy loop keeps it from looking."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from workers import family
from workers.allowance import MIB, Allowance, Breach, Usage

EVERY: Final = 0.05  # seconds between two looks
_FILES_EVERY: Final = 0.25  # seconds between two counts of the files
_FILES_AT_ONCE: Final = 5_000  # counted in one look; the next one goes on
_RESTS: Final = 20  # times as long as a look took: it uses 5 % of a processor at most
_LEAST: Final = 4096  # bytes that a file takes, be it empty


@dataclass(eq=False, slots=True)
class Charge:
    """A work that is looked at. `strike` is called once at most, in the warden's thread, with the limit that it went over."""

    pid: int
    allowance: Allowance
    folder: Path
    strike: Callable[[Breach], None]
    cpu_before: float  # seconds that the process had used when the work began
    counting: Iterator[int] | None = None  # the size of the folder, as far as it is counted
    size: int = 0
    count_at: float = 0.0  # monotonic; when the next count begins


class Warden:
    """One a worker. Its thread sleeps while nothing runs."""

    def __init__(self) -> None:
        self._charges: set[Charge] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def watch(self, pid: int, allowance: Allowance, folder: Path, strike: Callable[[Breach], None]) -> Charge:
        """Look at this process and what it starts from now on, and at its folder."""
        root = family.member(pid)
        charge = Charge(pid, allowance, folder, strike, root.cpu_s if root else 0.0)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="warden", daemon=True)
                self._thread.start()
            self._charges.add(charge)
            self._changed.notify()
        return charge

    def release(self, charge: Charge) -> None:
        """Look at it no more: after this its `strike` is not called."""
        with self._changed:
            self._charges.discard(charge)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._charges or self._closed)
                if self._closed:
                    return
                charges = list(self._charges)
            began = time.monotonic()
            for charge in charges:
                self._look(charge)
            time.sleep(max(EVERY, _RESTS * (time.monotonic() - began)))

    def _look(self, charge: Charge) -> None:
        breach = charge.allowance.breach(_usage(charge))
        if breach is not None:
            with self._changed:
                if charge in self._charges:  # it may have ended meanwhile, and its process may do another work
                    self._charges.discard(charge)
                    charge.strike(breach)


def _usage(charge: Charge) -> Usage:
    members = family.family(charge.pid)
    held = family.memory(members)
    if held > charge.allowance.memory_mib * MIB and len(members) > 1:
        held = family.shared_memory(members)
    cpu_s = sum(one.cpu_s for one in members) - charge.cpu_before
    return Usage(len(members), held, cpu_s, _size(charge) + family.removed_files(members))


def _size(charge: Charge) -> int:
    """What is counted so far: never more than there is."""
    if charge.counting is None:
        if time.monotonic() < charge.count_at:
            return charge.size
        charge.counting = sizes(charge.folder)
    counted = list(islice(charge.counting, _FILES_AT_ONCE))
    if counted:
        charge.size = counted[-1]
    if len(counted) < _FILES_AT_ONCE:
        charge.counting, charge.count_at = None, time.monotonic() + _FILES_EVERY
    return charge.size


def sizes(folder: Path) -> Iterator[int]:
    """The bytes on disk of all that is in a folder, growing file by file. One with several names counts once for each."""
    total = 0
    waiting = [os.fspath(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    total += max(entry.stat(follow_symlinks=False).st_blocks * 512, _LEAST)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                yield total
