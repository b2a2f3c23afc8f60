"""Charts as SVG, drawn by the server: line, bar, scatter, heatmap. No script, no style attribute, colours by class.

Text stays crisp at every width: the marks are stretched in a viewBox with strokes that do not scale, the labels stand in percent beside it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup, escape

from app.web.scales import Scale, category_labels, nice, numbers
from app.web.wording import compact, number

HEIGHT: Final = 220.0  # px, of a plot
WIDTH: Final = 1000.0  # units of the stretched viewBox
_TOP: Final = 8.0
_COLOURS: Final = 6
_MOST_BAR_ROWS: Final = 40
_MOST_CELL_TEXTS: Final = 12  # columns


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart ready for the page: `body` is markup, `label` says it in words, `legend` pairs a series' name with its class."""

    body: Markup
    label: str
    legend: tuple[tuple[str, str], ...] = ()
    small: bool = True  # readable in half a page


@dataclass(frozen=True, slots=True)
class Series:
    """One series: a name and a value for each x; None is a gap."""

    name: str
    values: tuple[float | None, ...]


def draw(block: Mapping[str, Any]) -> Drawing:
    """The drawing of a result's chart block. Values that are no numbers become gaps."""
    x = list(block.get("x") or [])
    series = [
        Series(str(one.get("name") or ""), tuple(numbers(one.get("values") or []))) for one in block.get("series") or []
    ]
    kind = block.get("kind")
    title = str(block.get("name") or "Chart")
    if not any(value is not None for one in series for value in one.values):
        return Drawing(Markup('<p class="muted">Nothing to draw: there are no values.</p>'), title)
    if kind == "heatmap":
        return _heatmap(title, x, series)
    legend = tuple((one.name, _class(index)) for index, one in enumerate(series)) if len(series) > 1 else ()
    if kind == "bar":
        if len(series) == 1 and _wants_rows(x):
            return Drawing(_bar_rows(x, series[0]), _say(f"{title}, bars", series))
        return Drawing(_bars(x, series), _say(f"{title}, bars", series), legend)
    return Drawing(
        _points(x, series, joined=kind != "scatter"),
        _say(f"{title}, {'scatter' if kind == 'scatter' else 'line'}", series),
        legend,
    )


def _class(index: int) -> str:
    return f"k{index % _COLOURS}" + (" dash" if index >= _COLOURS else "")


def _say(title: str, series: Sequence[Series]) -> str:
    """What somebody hears who does not see the chart: each series with its range, its first and its last value."""
    parts = []
    for one in series[:6]:
        known = [value for value in one.values if value is not None]
        if known:
            name = f"{one.name}: " if one.name else ""
            parts.append(
                f"{name}{number(min(known))} to {number(max(known))}, from {number(known[0])} at the start to {number(known[-1])} at the end"
            )
    return f"{title}. {'; '.join(parts)}."


def _wants_rows(x: Sequence[Any]) -> bool:
    """Bars of named things get a row each; bins of numbers and dates stand along an axis."""
    return 0 < len(x) <= _MOST_BAR_ROWS and all(isinstance(name, str) and name[:1].isalpha() for name in x)


def _points(x: Sequence[Any], series: Sequence[Series], *, joined: bool) -> Markup:
    known = [value for one in series for value in one.values if value is not None]
    y = nice(min(known), max(known))
    positions, labels = _positions(x, max(len(one.values) for one in series))
    marks = []
    for index, one in enumerate(series):
        path, pen = [], False
        for at, value in zip(positions, one.values, strict=False):
            if value is None or at is None:
                pen = False
                continue
            left, top = f"{at * WIDTH:.1f}", f"{_y(y, value):.1f}"
            path.append(f"{'L' if pen else 'M'}{left} {top}" if joined else f"M{left} {top}h0")
            # A lone point between gaps still shows: a line of no length has a round cap.
            if joined and not pen:
                path.append("h0")
            pen = joined
        marks.append(f'<path class="{"ln" if joined else "dot"} {_class(index)}" d="{"".join(path)}"/>')
    return _plot(y, "".join(marks), labels)


def _bars(x: Sequence[Any], series: Sequence[Series]) -> Markup:
    known = [value for one in series for value in one.values if value is not None]
    y = nice(min(0.0, *known), max(0.0, *known))
    count = max(len(one.values) for one in series)
    slot = WIDTH / count
    gap = slot * (0.08 if count > 20 else 0.2)
    width = (slot - gap) / len(series)
    zero = _y(y, 0.0)
    marks = []
    for index, one in enumerate(series):
        for place, value in enumerate(one.values):
            if value is None:
                continue
            top = _y(y, value)
            left = place * slot + gap / 2 + index * width
            name = str(x[place]) if place < len(x) else str(place + 1)
            said = escape(f"{name}: {number(value)}" if not one.name else f"{name}, {one.name}: {number(value)}")
            marks.append(
                f'<rect class="bar-mark {_class(index)}" x="{left:.2f}" y="{min(top, zero):.1f}" width="{width:.2f}"'
                f' height="{max(abs(zero - top), 0.5):.1f}"><title>{said}</title></rect>'
            )
    names = [compact(value) if isinstance(value, int | float) else str(value) for value in x] or [
        str(place + 1) for place in range(count)
    ]
    labels = [((place + 0.5) / count, text) for place, text in category_labels(names)]
    return _plot(y, "".join(marks), labels)


def _bar_rows(x: Sequence[Any], series: Series) -> Markup:
    """Bars with long names: a table whose rows say name, bar and value."""
    largest = max((abs(value) for value in series.values if value is not None), default=0.0) or 1.0
    rows = []
    for name, value in zip(x, series.values, strict=False):
        share = 0.0 if value is None else abs(value) / largest * 100
        bar = f'<svg aria-hidden="true"><rect class="rail" width="100%" height="12" rx="3"/><rect class="bar-mark k{int((value or 0) < 0)}" width="{share:.2f}%" height="12" rx="3"/></svg>'
        rows.append(
            f'<tr><th scope="row" title="{escape(name)}">{escape(name)}</th><td class="b">{bar}</td><td class="v">{number(value)}</td></tr>'
        )
    return _markup(f'<table class="bars"><tbody>{"".join(rows)}</tbody></table>')


def _heatmap(title: str, x: Sequence[Any], series: Sequence[Series]) -> Drawing:
    columns = max(len(x), *(len(one.values) for one in series))
    height = 28.0 if len(series) <= 20 else 16.0
    whole = height * len(series)
    largest = max(abs(value) for one in series for value in one.values if value is not None) or 1.0
    cells, texts, names = [], [], []
    for row, one in enumerate(series):
        middle = row * height + height / 2 + 4
        names.append(f'<text x="-10" y="{middle:.1f}" text-anchor="end">{escape(_cut(one.name, 18))}</text>')
        for column, value in enumerate(one.values):
            if value is None:
                continue
            said = escape(f"{one.name}, {x[column] if column < len(x) else column + 1}: {number(value)}")
            cells.append(
                f'<rect class="cell {"down" if value < 0 else "up"}" fill-opacity="{abs(value) / largest:.3f}" x="{column * WIDTH / columns:.2f}"'
                f' y="{row * height + 1:.1f}" width="{WIDTH / columns:.2f}" height="{height - 2:.1f}"><title>{said}</title></rect>'
            )
            if columns <= _MOST_CELL_TEXTS and height > 20:
                texts.append(
                    f'<text x="{(column + 0.5) / columns * 100:.2f}%" y="{middle:.1f}" text-anchor="middle">{compact(round(value, 2) or 0.0)}</text>'
                )
    heads = [_cut(str(value), 18) for value in x]
    left = 12 + round(6.8 * max(len(_cut(one.name, 18)) for one in series))
    body = _markup(
        f'<div class="plotbox"><svg class="yax" width="{left}" height="{whole:.0f}"><svg x="{left}" overflow="visible">{"".join(names)}</svg></svg>'
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {whole:.0f}" preserveAspectRatio="none" height="{whole:.0f}">{"".join(cells)}</svg>'
        f'<svg class="over" height="{whole:.0f}">{"".join(texts)}</svg>{_heads(heads, columns)}</div>'
    )
    known = [value for one in series for value in one.values if value is not None]
    return Drawing(
        body,
        f"{title}, heatmap of {len(series)} by {columns}. {number(min(known))} to {number(max(known))}.",
        small=False,
    )


def _heads(names: Sequence[str], columns: int) -> str:
    """The names under a heatmap's columns, slanted where they are long."""
    longest = max((len(name) for name in names), default=0)
    step = max(1, math.ceil(columns / 24))
    if longest * columns <= 40:
        texts = [
            f'<text x="{(at + 0.5) / columns * 100:.2f}%" y="18" text-anchor="middle">{escape(name)}</text>'
            for at, name in enumerate(names)
        ]
        return f'<svg class="xax" height="24">{"".join(texts)}</svg>'
    texts = [
        f'<svg x="{(at + 0.5) / columns * 100:.2f}%" y="14" overflow="visible"><text transform="rotate(-40)" x="4" text-anchor="end">{escape(name)}</text></svg>'
        for at, name in enumerate(names)
        if at % step == 0
    ]
    return f'<svg class="xax" height="{20 + round(4.4 * longest)}">{"".join(texts)}</svg>'


def _positions(x: Sequence[Any], count: int) -> tuple[list[float | None], list[tuple[float, str]]]:
    """Where each x stands (0 to 1) and the labels below."""
    values = numbers(x)
    known = [value for value in values if value is not None]
    if known and len(known) == len(x):
        scale = nice(min(known), max(known), steps=6, tight=True)
        return [scale.share(value) for value in known], [
            (scale.share(tick), compact(tick)) for tick in scale.ticks if 0 <= scale.share(tick) <= 1
        ]
    names = [str(value) for value in x] or [str(place + 1) for place in range(count)]
    last = max(count - 1, 1)
    return [place / last for place in range(count)], [(place / last, text) for place, text in category_labels(names)]


def _y(scale: Scale, value: float) -> float:
    return _TOP + (1 - scale.share(value)) * (HEIGHT - 2 * _TOP)


def _plot(y: Scale, marks: str, labels: Sequence[tuple[float, str]]) -> Markup:
    ticks = [compact(tick) for tick in y.ticks]
    left = 12 + round(7.2 * max(len(tick) for tick in ticks))
    side = "".join(
        f'<text x="{left - 10}" y="{_y(y, tick) + 4:.1f}" text-anchor="end">{text}</text>'
        for tick, text in zip(y.ticks, ticks, strict=True)
    )
    lines = "".join(
        f'<path class="grid{" zero" if tick == 0 and y.low < 0 else ""}" d="M0 {_y(y, tick):.1f}H{WIDTH:.0f}"/>'
        for tick in y.ticks
    )
    below = "".join(
        f'<text x="{at * 100:.2f}%" y="18" text-anchor="{"start" if at < 0.02 else "end" if at > 0.98 else "middle"}">{escape(text)}</text>'
        for at, text in labels
    )
    return _markup(
        f'<div class="plotbox"><svg class="yax" width="{left}" height="{HEIGHT:.0f}">{side}</svg>'
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" height="{HEIGHT:.0f}">{lines}{marks}</svg>'
        f'<svg class="xax" height="24">{below}</svg></div>'
    )


def _markup(text: str) -> Markup:
    return Markup(text)  # noqa: S704  its numbers are formatted and its names escaped where it is put together


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
