"""Whose turn it is to write to a SQLite file: all connections of all processes take turns.

SQLite by itself lets the others look again, at longer and longer intervals: who writes most gets the file most, and somebody hears "database is locked"
after seconds (four processes that do nothing but write, for 20 ms each time: 17 times in 40 s; with turns never). Here one waits for the file, and the others wait to be that one.
"""

import asyncio
import contextlib
import fcntl
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

from app.errors import Unavailable

LOOK_AGAIN = (0.001, 0.003)  # seconds, at random, so that none of those who wait is always the first
LOOK_NEXT = (0.0002, 0.0005)  # seconds, for the one whose turn is next


class Turns:
    """The turns of one connection to the database file `path`. The kernel ends the turn of a process that dies. `within`: seconds that one waits for a turn."""

    def __init__(self, path: str, *, within: float) -> None:
        self._path = path
        self._within = within
        self._next: IO[str] | None = None
        self._file: IO[str] | None = None

    def open(self) -> None:
        """Make the two lock files. Raises `OSError`."""
        self._next, self._file = (Path(f"{self._path}.{end}").open("w") for end in ("next", "writer"))  # noqa: SIM115  held open

    def close(self) -> None:
        """Also ends a turn."""
        for lock in (self._next, self._file):
            if lock is not None:
                lock.close()
        self._next = self._file = None

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Others who take turns do not write inside. Where somebody keeps the turn for too long it is SQLite's own lock that decides, as it does for all who take none."""
        first, file = self._next, self._file
        if first is None or file is None:
            raise Unavailable("The database is closed.")
        taken = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._within), _held(first):
                await _take(file, LOOK_NEXT)
                taken = True
        try:
            yield
        finally:
            if taken:
                _give_back(file)

    @contextlib.contextmanager
    def turn_in_thread(self) -> Iterator[None]:
        """The same in a thread that may wait: nothing of it needs a loop, which may be blocked."""
        first, file = self._next, self._file
        if first is None or file is None:
            raise Unavailable("The database is closed.")
        deadline = time.monotonic() + self._within
        try:
            taken = _take_in_thread(first, LOOK_AGAIN, deadline) and _take_in_thread(file, LOOK_NEXT, deadline)
        finally:
            _give_back(first)
        try:
            yield
        finally:
            if taken:
                _give_back(file)


@contextlib.asynccontextmanager
async def _held(lock: IO[str]) -> AsyncIterator[None]:
    await _take(lock, LOOK_AGAIN)
    try:
        yield
    finally:
        _give_back(lock)


async def _take(lock: IO[str], again: tuple[float, float]) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(random.uniform(*again))
        else:
            return


def _take_in_thread(lock: IO[str], again: tuple[float, float], deadline: float) -> bool:
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(random.uniform(*again))
        else:
            return True
    return False


def _give_back(lock: IO[str]) -> None:
    if not lock.closed:
        fcntl.flock(lock, fcntl.LOCK_UN)
