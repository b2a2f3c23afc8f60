"""Lines and scattered points."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from app.web.charts.frame import WIDTH, Series, colour, height_of, known, plot
from app.web.charts.scales import Scale, category_labels, nice, numbers
from app.web.wording import compact


def lines(x: Sequence[Any], series: Sequence[Series]) -> Markup:
    """A line a series, broken where a value is missing."""
    return _drawn(x, series, joined=True)


def dots(x: Sequence[Any], series: Sequence[Series]) -> Markup:
    """A dot a value."""
    return _drawn(x, series, joined=False)


def _drawn(x: Sequence[Any], series: Sequence[Series], *, joined: bool) -> Markup:
    values = known(series)
    y = nice(min(values), max(values))
    positions, labels = _positions(x, max(len(one.values) for one in series))
    marks = [
        f'<path class="{"ln" if joined else "dot"} {colour(index)}" d="{_path(y, positions, one, joined=joined)}"/>'
        for index, one in enumerate(series)
    ]
    return plot(y, "".join(marks), labels)


def _path(y: Scale, positions: Sequence[float], one: Series, *, joined: bool) -> str:
    steps, pen = [], False
    for at, value in zip(positions, one.values, strict=False):
        if value is None:
            pen = False
            continue
        # A lone point between gaps still shows: a line of no length has round caps.
        steps.append(f"{'L' if pen else 'M'}{at * WIDTH:.1f} {height_of(y, value):.1f}{'' if pen else 'h0'}")
        pen = joined
    return "".join(steps)


def _positions(x: Sequence[Any], count: int) -> tuple[list[float], list[tuple[float, str]]]:
    """Where each x stands (0 to 1) and the labels below."""
    values = [value for value in numbers(x) if value is not None]
    if values and len(values) == len(x):
        scale = nice(min(values), max(values), steps=6, tight=True)
        ticks = [(scale.share(tick), compact(tick)) for tick in scale.ticks]
        return [scale.share(value) for value in values], [tick for tick in ticks if 0 <= tick[0] <= 1]
    names = [str(value) for value in x] or [str(place + 1) for place in range(count)]
    last = max(count - 1, 1)
    return [place / last for place in range(count)], [(place / last, text) for place, text in category_labels(names)]
