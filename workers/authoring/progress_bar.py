"""Progress in the terminal: one line that changes where it can, a line for each new message where it cannot."""

import shutil
import time
from typing import Final, TextIO

_EVERY: Final = 0.1  # seconds
_BAR: Final = 24  # characters
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


class ProgressBar:
    """Implements `workers.execution.Reports`. Called in the loop."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._began = time.monotonic()
        self._drawn_at = float("-inf")
        self._newest: tuple[float | None, str] = (None, "")
        self._said = ""

    def progress(self, fraction: float | None, message: str) -> None:
        """The newest state."""
        self._newest = fraction, message
        if time.monotonic() - self._drawn_at >= _EVERY:
            self._draw()

    def end(self) -> None:
        """Nothing comes any more: the line is left as it is last, or goes where it is only a bar."""
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        fraction, message = self._newest
        took = int(self._drawn_at - self._began)
        clock = f"{took // 60}:{took % 60:02}"
        if self._live:
            wide = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r\x1b[K{f'{_bar(fraction)} {clock} {message}'[:wide]}")
            self._out.flush()
        elif message != self._said:
            self._said = message
            share = "" if fraction is None else f"{fraction:4.0%} "
            self._out.write(f"{share}{message}\n")


def _bar(fraction: float | None) -> str:
    if fraction is None:
        return f"[{'·' * _BAR}]     "
    full, rest = divmod(round(fraction * _BAR * 8), 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    return f"[{drawn:<{_BAR}}] {fraction:4.0%}"
