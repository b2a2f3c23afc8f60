"""What a child process prints, as lines of its work's log."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import IO, Final

from taskline.limits import LONGEST_LOG_TEXT
from workers.wire import MARK

_MARK_SECONDS: Final = 0.5


class Prints:
    """Hears what a child prints on a pipe, line by line, until `close`."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._rest = b""
        self._hear: Callable[[str], None] = lambda _: None
        self._marked = asyncio.Event()
        self._mark = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)
        # A reader, not a transport: the loop must not own the descriptor of a pipe.
        self._loop.add_reader(pipe.fileno(), self._read)

    def begin(self, hear: Callable[[str], None], claim: str) -> None:
        """Lines go to `hear` from now on, up to the mark of this claim."""
        self._hear = hear
        self._mark = MARK + claim.encode()
        self._marked.clear()

    async def end(self) -> None:
        """Until the mark was read or the child's output is closed; not for long, since the work may have closed it or handed it on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._marked.wait(), _MARK_SECONDS)
        self._hear = lambda _: None

    def close(self) -> None:
        """Hear no more."""
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()

    def _read(self) -> None:
        try:
            chunk = os.read(self._pipe.fileno(), 65_536)
        except BlockingIOError:
            return
        if not chunk:
            self._take(self._rest)
            self._marked.set()
            self.close()
            return
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take(line)
        self._rest = rest[-4 * LONGEST_LOG_TEXT :] if len(rest) > 8 * LONGEST_LOG_TEXT else rest

    def _take(self, line: bytes) -> None:
        if self._mark and line == self._mark:
            self._marked.set()
        elif line.strip():
            self._hear(line.decode(errors="replace").rstrip("\r")[:LONGEST_LOG_TEXT])
