"""The bins of a histogram: edges at numbers that people like to read."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

MOST: Final = 24
DAY: Final = 86_400.0  # seconds
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  without a zone, as in the file
_FIRST: Final = (datetime.min - _EPOCH).total_seconds()  # noqa: DTZ901
_LAST: Final = (datetime.max - _EPOCH).total_seconds() - 1  # noqa: DTZ901
_FINEST: Final = 20  # bins to aim at
_SMALLEST: Final = 1e-300  # width of a bin; below it floats lose their digits


def bins(low: float, high: float, *, whole: bool = False) -> list[float]:
    """The edges of at most 24 bins of one width, the first at or below `low`, the last at or above `high`.

    The width is 1, 2 or 5 times a power of ten; of whole numbers at least 1.

    >>> bins(0.3, 9.7)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0]
    """
    upper = high + 1 if whole else high  # a whole number fills its bin up to the next one
    rough = upper / _FINEST - low / _FINEST
    if low == high or rough < _SMALLEST:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    width = next(factor * power for factor in (1, 2, 5, 10) if rough <= factor * power * (1 + 1e-9))
    width = max(1.0, width) if whole else width
    first = math.floor(low / width)
    count = max(1, math.ceil(upper / width) - first)
    edges = [_rounded((first + place) * width, width) for place in range(count + 1)]
    good = (
        count <= MOST
        and all(map(math.isfinite, edges))
        and len(set(edges)) == len(edges)
        and edges[0] <= low
        and edges[-1] >= high
    )
    # Too close together for their size, or too far apart for a float: equal parts then, whatever they read like.
    return edges if good else [min(low + place * rough, high) for place in range(_FINEST)] + [high]


def time_bins(first: float, last: float) -> list[float]:
    """The edges of at most 24 equal bins of seconds since 1970; of whole days where the time spans at least as many."""
    if first == last:
        return [first, last]
    days = (last - first) / DAY
    if days < _FINEST:
        return [first + place * (last - first) / _FINEST for place in range(_FINEST)] + [last]
    width = math.ceil((days + 1) / MOST)
    start = math.floor(first / DAY)
    start -= start * DAY > first  # the quotient of a tiny negative number is 0
    return [(start + place * width) * DAY for place in range(math.ceil((last / DAY - start) / width) + 1)]


def number_labels(edges: Sequence[float], low: float, high: float, *, whole: bool) -> list[str]:
    """The bins in words: "10–20"; "below 20" and "80 and more" where values lie outside the edges; a single value where a bin holds no more."""
    width = edges[-1] - edges[0] if len(edges) == 2 else edges[1] - edges[0]
    said = [_said(edge, width) for edge in edges]
    if edges[0] == edges[-1]:
        return said[:1]
    if whole and width == 1:
        labels = said[:-1]
    else:
        labels = [f"{one} to {other}" if one.startswith("-") else f"{one}–{other}" for one, other in pairwise(said)]
    if low < edges[0]:
        labels[0] = f"below {said[1]}"
    if high > edges[-1]:
        labels[-1] = f"{said[-2]} and more"
    return labels


def time_labels(edges: Sequence[float]) -> list[str]:
    """The beginnings of bins of seconds since 1970, as short as they differ."""
    short = all(edge % DAY == 0 for edge in edges)
    # By addition: `fromtimestamp` refuses years that a file may well hold.
    moments = [_EPOCH + timedelta(seconds=min(_LAST, max(_FIRST, edge))) for edge in edges[:-1]]
    return [moment.strftime("%Y-%m-%d" if short else "%Y-%m-%d %H:%M") for moment in moments]


def _rounded(edge: float, width: float) -> float:
    return round(edge, max(0, 2 - math.floor(math.log10(width)))) if width < 100 else edge


def _said(edge: float, width: float) -> str:
    """A number with as many decimals as the width between two of them needs."""
    if width == 0 or not 1e-6 < width < 1e12:
        return f"{edge:,.6g}"
    return f"{edge:,.{max(0, -math.floor(math.log10(width)))}f}"
