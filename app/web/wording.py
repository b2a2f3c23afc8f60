"""How numbers, times and sizes read on a page. `static/format.js` says the same in the browser; a browser test holds the two together."""

from datetime import UTC, date, datetime
from typing import Final

_UNITS: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def duration(seconds: float) -> str:
    """134.2 -> "2:14", 3700 -> "1:01:40"."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def length(seconds: float) -> str:
    """How long something took: 0.02 -> "under 0.1 s", 0.42 -> "0.4 s", 9.96 -> "10.0 s", 134.2 -> "2:14"."""
    if seconds < 0.1:
        return "under 0.1 s"
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def about(seconds: float) -> str:
    """A length of time said roughly: "a few seconds", "about 4 min", "about 2 h"."""
    if seconds < 20:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 10) * 10} s"
    if seconds < 90:
        return "about 1 min"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"


def soon(seconds: float) -> str:
    """When something starts, said roughly: "any moment now", "in a few seconds", "in about 4 min"."""
    return f"in {about(seconds)}" if seconds >= 1 else "any moment now"


def usual(seconds: float) -> str:
    """How long something takes as a rule: "less than a second", "12 s", "4 min", "2 h"."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def ago(then: datetime, now: datetime) -> str:
    """How long ago: just now, 26 min ago, 3 h ago, yesterday, 2 days ago; after a week the date."""
    seconds = max(0.0, (now - then).total_seconds())
    if seconds < 45:
        return "just now"
    if seconds < 3570:
        return f"{max(1, round(seconds / 60))} min ago"
    if seconds < 84600:
        return f"{max(1, round(seconds / 3600))} h ago"
    if seconds < 7 * 86400:
        days = max(1, round(seconds / 86400))
        return "yesterday" if days == 1 else f"{days} days ago"
    return day(then)


def day(moment: date) -> str:
    """24 Nov 2026"""
    return f"{moment.day} {moment:%b %Y}"


def instant(moment: datetime) -> str:
    """24 Nov 2026, 10:33 UTC: the browser's script puts the reader's own time zone in its place."""
    moment = moment.astimezone(UTC)
    return f"{day(moment)}, {moment:%H:%M} UTC"


def size(count: float) -> str:
    """Bytes in steps of 1,000: 412 B, 96 kB, 4.2 MB."""
    for step, unit in _UNITS:
        if count >= step:
            value = count / step
            return f"{value:.0f} {unit}B" if value >= 10 else f"{value:.1f} {unit}B"
    return f"{count:.0f} B"


def number(value: object) -> str:
    """A value of a table or a metric: thousands separated, at most six significant digits, a true minus sign; None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        if value and not 1e-4 <= abs(value) < 1e15:
            return f"{value:.3e}".replace("-", "−")
        text = f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.{max(0, 6 - len(str(int(abs(value)))))}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    return str(value)


def compact(value: float) -> str:
    """A number short enough for an axis: 17k, 2.5M, 0.05."""
    if value and abs(value) < 1e-4:
        return f"{value:.0e}".replace("e-0", "e-").replace("-", "−")
    for step, unit in _UNITS:
        if abs(value) >= step * 0.9999:
            return f"{value / step:.4g}{unit}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def ordinal(position: int) -> str:
    """1st, 2nd, 3rd, 11th"""
    if position % 100 in (11, 12, 13):
        return f"{position}th"
    return str(position) + {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")


def capped(count: int) -> str:
    """The number on a badge: 3, 99+"""
    return str(count) if count < 100 else "99+"


def plural(count: int, noun: str) -> str:
    """1 task, 2 tasks"""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
