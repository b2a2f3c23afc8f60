"""The lines of one attempt: what it says, bounded, and which of it is stored."""

import re
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from taskline.limits import LONGEST_LOG_TEXT

MOST_LOG_LINES: Final = 1_000  # the last ones are kept
A_SECOND: Final = 200  # lines that are stored in the long run; a flood is stored in fewer writes, not in larger ones

Level = Literal["debug", "info", "warning", "error"]

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")  # colours and the like, for terminals
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a task's log."""

    at: datetime
    level: Level
    text: str


class LogBook:
    """Lines count from 1. Any thread adds; one reader stores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[LogLine] = deque(maxlen=MOST_LOG_LINES)
        self._written = 0  # lines so far
        self._stored = 0
        self._rests_until = float("-inf")

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """The last lines, by their times: what a child printed and what it logged come by two ways."""
        with self._lock:
            return tuple(sorted(self._lines, key=lambda line: line.at))

    def add(self, level: Level, text: str, at: datetime | None = None) -> None:
        """What was said, as one line or several; now, unless `at` says when."""
        moment = at or datetime.now(UTC)
        made = [LogLine(at=moment, level=level, text=part) for part in _parts(text)]
        with self._lock:
            self._lines.extend(made)
            self._written += len(made)

    def unstored(self) -> tuple[int, list[LogLine]]:
        """The number of the first line that is not stored yet, and all lines from there on that are still known."""
        with self._lock:
            many = min(self._written - self._stored, len(self._lines))
            lines = [self._lines[place] for place in range(len(self._lines) - many, len(self._lines))]
            return self._written - many + 1, sorted(lines, key=lambda line: line.at)

    def due(self, now: float) -> bool:
        """Whether there is something to store, and its time has come."""
        return self._stored < self._written and now >= self._rests_until

    def stored(self, last: int, now: float) -> None:
        """All lines up to this number are stored, at `now` on a monotonic clock."""
        self._rests_until = now + (last - self._stored) / A_SECOND
        self._stored = max(self._stored, last)


def _parts(text: str) -> list[str]:
    # What a bar of progress writes over on a terminal is written over here, too.
    lines = [part.rstrip("\r").rpartition("\r")[2] for part in _ESCAPES.sub("", text).split("\n")]
    return [plain(line)[:LONGEST_LOG_TEXT] for line in lines]


def plain(line: str) -> str:
    """Without control characters and halves of characters, which neither databases nor browsers take."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", line).encode("utf-8", "replace").decode()
