"""Axes of charts: round steps, shares of the axis, labels that do not touch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_MOST_LABELS: Final = 8
_MOST_CHARACTERS: Final = 40  # of all labels and the gaps between them: what a 390 px wide page holds
_FINEST: Final = 1e-9  # a spread below this share of the values is drawn as none: floats cannot hold steps in it
_LARGEST: Final = 1e300  # beyond it a spread overflows
_GAP: Final = 2  # characters


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis from `low` to `high` with round `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where `value` stands, 0 at `low` and 1 at `high`."""
        return (value - self.low) / (self.high - self.low)


def nice(low: float, high: float, *, steps: int = 4, tight: bool = False) -> Scale:
    """An axis over [low, high] in steps of 1, 2 or 5 times a power of ten, about `steps` of them; `tight` ends it at the data."""
    size = max(abs(low), abs(high))
    if high - low <= size * _FINEST:
        margin = size * 0.1 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))
    return Scale(low, high, ticks) if tight else Scale(ticks[0], ticks[-1], ticks)


def numbers(values: Sequence[Any]) -> list[float | None]:
    """Each value as a finite number, or None."""
    return [_number(value) for value in values]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= _LARGEST else None


def category_labels(names: Sequence[str]) -> list[tuple[int, str]]:
    """As many of the names, evenly chosen, as fit beside each other; each with its index."""
    if not names:
        return []
    longest = max(len(name) for name in names)
    fits = max(2, min(_MOST_LABELS, _MOST_CHARACTERS // (longest + _GAP)))
    step = math.ceil(len(names) / fits)
    return [(index, name) for index, name in enumerate(names) if index % step == 0]
