"""Bars: of bins along an axis, of named things in rows."""

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from app.web.charts.frame import WIDTH, Series, colour, height_of, hover, known, markup, plot
from app.web.charts.scales import category_labels, nice
from app.web.wording import compact, number

_MOST_ROWS: Final = 40


def bars(x: Sequence[Any], series: Sequence[Series]) -> Markup:
    """Bars of one series of named things stand in rows with their names, all others along an axis."""
    if (
        len(series) == 1
        and 0 < len(x) <= _MOST_ROWS
        and all(isinstance(name, str) and name[:1].isalpha() for name in x)
    ):
        return _rows(x, series[0])
    return _columns(x, series)


def _columns(x: Sequence[Any], series: Sequence[Series]) -> Markup:
    values = known(series)
    y = nice(min(0.0, *values), max(0.0, *values))
    count = max(len(one.values) for one in series)
    slot = WIDTH / count
    gap = slot * (0.08 if count > 20 else 0.2)
    width = (slot - gap) / len(series)
    zero = height_of(y, 0.0)
    names = [compact(value) if isinstance(value, int | float) else str(value) for value in x]
    names += [str(place + 1) for place in range(len(names), count)]
    marks = []
    for index, one in enumerate(series):
        for place, value in enumerate(one.values):
            if value is None:
                continue
            top = height_of(y, value)
            left = place * slot + gap / 2 + index * width
            said = f"{names[place]}, {one.name}: {number(value)}" if one.name else f"{names[place]}: {number(value)}"
            marks.append(
                f'<rect class="bar-mark {colour(index)}" x="{left:.2f}" y="{min(top, zero):.1f}" width="{width:.2f}"'
                f' height="{max(abs(zero - top), 0.5):.1f}">{hover(said, len(values))}</rect>'
            )
    labels = [((place + 0.5) / count, text) for place, text in category_labels(names)]
    return plot(y, "".join(marks), labels)


def _rows(x: Sequence[str], series: Series) -> Markup:
    """A table whose rows say name, bar and value."""
    largest = max(abs(value) for value in known([series])) or 1.0
    rows = []
    for name, value in zip(x, series.values, strict=False):
        share = 0.0 if value is None else abs(value) / largest * 100
        bar = (
            '<svg aria-hidden="true"><rect class="rail" width="100%" height="12" rx="3"/>'
            f'<rect class="bar-mark {colour(int((value or 0) < 0))}" width="{share:.2f}%" height="12" rx="3"/></svg>'
        )
        rows.append(
            f'<tr><th scope="row" title="{escape(name)}">{escape(name)}</th>'
            f'<td class="b">{bar}</td><td class="v">{number(value)}</td></tr>'
        )
    return markup(f'<table class="bars"><tbody>{"".join(rows)}</tbody></table>')
