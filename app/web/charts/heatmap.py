"""Heatmaps: a row a series, blue above zero and orange below, stronger the further from it."""

import math
from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from app.web.charts.frame import WIDTH, Series, hover, known, markup
from app.web.wording import compact, number

_MOST_TEXTS: Final = 12  # columns whose cells say their value
_MOST_HEADS: Final = 24  # names under the columns
_LONGEST_NAME: Final = 18  # characters


def heatmap(x: Sequence[Any], series: Sequence[Series]) -> Markup:
    """Cells in the order of `x` and of the series."""
    columns = max(len(x), *(len(one.values) for one in series))
    height = 28.0 if len(series) <= 20 else 16.0
    whole = f"{height * len(series):.0f}"
    values = known(series)
    largest = max(abs(value) for value in values) or 1.0
    cells, texts, names = [], [], []
    for row, one in enumerate(series):
        middle = f"{row * height + height / 2 + 4:.1f}"
        names.append(f'<text x="-10" y="{middle}" text-anchor="end">{escape(_cut(one.name))}</text>')
        for column, value in enumerate(one.values):
            if value is None:
                continue
            said = f"{one.name}, {x[column] if column < len(x) else column + 1}: {number(value)}"
            cells.append(
                f'<rect class="cell {"down" if value < 0 else "up"}" fill-opacity="{abs(value) / largest:.3f}"'
                f' x="{column * WIDTH / columns:.2f}" y="{row * height + 1:.1f}"'
                f' width="{WIDTH / columns:.2f}" height="{height - 2:.1f}">{hover(said, len(values))}</rect>'
            )
            if columns <= _MOST_TEXTS and len(series) <= 20:
                at = f"{(column + 0.5) / columns * 100:.2f}%"
                texts.append(
                    f'<text x="{at}" y="{middle}" text-anchor="middle">{compact(round(value, 2) or 0.0)}</text>'
                )
    left = 12 + round(6.8 * max(len(_cut(one.name)) for one in series))
    return markup(
        f'<div class="plotbox"><svg class="yax" width="{left}" height="{whole}">'
        f'<svg x="{left}" overflow="visible">{"".join(names)}</svg></svg>'
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {whole}" preserveAspectRatio="none" height="{whole}">{"".join(cells)}</svg>'
        f'<svg class="over" height="{whole}">{"".join(texts)}</svg>{_heads([_cut(str(name)) for name in x], columns)}</div>'
    )


def _heads(names: Sequence[str], columns: int) -> str:
    """The names under the columns, slanted where they are long."""
    longest = max((len(name) for name in names), default=0)
    if longest * columns <= 40:
        texts = [
            f'<text x="{(at + 0.5) / columns * 100:.2f}%" y="18" text-anchor="middle">{escape(name)}</text>'
            for at, name in enumerate(names)
        ]
        return f'<svg class="xax" height="24">{"".join(texts)}</svg>'
    step = math.ceil(columns / _MOST_HEADS)
    texts = [
        f'<svg x="{(at + 0.5) / columns * 100:.2f}%" y="14" overflow="visible">'
        f'<text transform="rotate(-40)" x="4" text-anchor="end">{escape(name)}</text></svg>'
        for at, name in enumerate(names)
        if at % step == 0
    ]
    return f'<svg class="xax" height="{20 + round(4.4 * longest)}">{"".join(texts)}</svg>'


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
