"""What a child process prints, as lines of its work's log."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from taskline.limits import LONGEST_LOG_TEXT
from workers.wire import MARK

_MARK_SECONDS: Final = 0.5


class Prints:
    """Reads what a child prints, line by line."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._hear: Callable[[str], None] = lambda _: None
        self._marked = asyncio.Event()
        self._mark = b""
        self.reading = asyncio.create_task(self._read())

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

    async def _read(self) -> None:
        rest = b""
        while chunk := await self._stream.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            rest = rest[-4 * LONGEST_LOG_TEXT :] if len(rest) > 8 * LONGEST_LOG_TEXT else rest
        self._take(rest)
        self._marked.set()

    def _take(self, line: bytes) -> None:
        if self._mark and line == self._mark:
            self._marked.set()
        elif line.strip():
            self._hear(line.decode(errors="replace").rstrip("\r")[:LONGEST_LOG_TEXT])
