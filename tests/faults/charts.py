"""Plots as SVG, from figures alone: each reads well on light and on dark pages, since it brings its own ground."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 860
LINE: Final = 24  # height of a row
LEFT, RIGHT, TOP, BOTTOM = 330, 24, 58, 40
STYLE: Final = """
.ground{fill:#fff}.text{fill:#1f2937}.faint{fill:#4b5563}.grid{stroke:#e5e7eb}.dot{fill:#2563eb;fill-opacity:.45}.bar{fill:#2563eb}
.middle{stroke:#1e3a8a;stroke-width:2.5}.bound{stroke:#b91c1c;stroke-width:2.5}.curve{fill:none;stroke:#2563eb;stroke-width:2}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif}.title{font-size:15px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}
@media (prefers-color-scheme:dark){.ground{fill:#111827}.text{fill:#e5e7eb}.faint{fill:#9ca3af}.grid{stroke:#374151}.dot{fill:#93c5fd}.bar{fill:#60a5fa}
.middle{stroke:#dbeafe}.bound{stroke:#f87171}.curve{stroke:#60a5fa}}
"""


class Strip(NamedTuple):
    """A row of a strip plot: each figure a dot, the median and the bound a line."""

    label: str
    seconds: Sequence[float]
    bound: float


def strips(title: str, rows: Sequence[Strip]) -> str:
    """Seconds on a logarithmic axis."""
    low, high = 0.02, 40.0

    def x(seconds: float) -> float:
        share = (math.log10(max(seconds, low)) - math.log10(low)) / (math.log10(high) - math.log10(low))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    bottom = TOP + LINE * len(rows)
    parts = []
    for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40):
        parts += [
            _line("grid", x(tick), TOP - 6, x(tick), bottom),
            _text("faint mid", x(tick), bottom + 18, f"{tick:g}"),
        ]
    for number, row in enumerate(rows):
        y = TOP + LINE * number + LINE / 2
        parts.append(_text("text end", LEFT - 12, y + 4, row.label))
        # Dots of one place lie beside each other.
        parts += [
            f'<circle class="dot" cx="{x(seconds):.1f}" cy="{y + (turn % 5 - 2) * 2.4:.1f}" r="3"/>'
            for turn, seconds in enumerate(row.seconds)
        ]
        middle = sorted(row.seconds)[math.ceil(len(row.seconds) / 2) - 1]
        parts.append(_line("middle", x(middle), y - 9, x(middle), y + 9))
        parts.append(_line("bound", x(row.bound), y - 9, x(row.bound), y + 9))
    legend = "seconds, logarithmic; a dot: one recovery; long mark on them: the median; red mark: the bound"
    parts.append(_text("faint end", WIDTH - RIGHT, bottom + 36, legend))
    return _svg(title, bottom + BOTTOM + 8, parts)


def bars(title: str, axis: str, counts: Mapping[str, int]) -> str:
    """A histogram: one row a class, its number beside it."""
    most = max(counts.values())
    parts = []
    for number, (label, count) in enumerate(counts.items()):
        y = TOP + LINE * number
        length = count / most * (WIDTH - LEFT - RIGHT - 70)
        parts.append(_text("text end", LEFT - 12, y + 16, label))
        parts.append(f'<rect class="bar" x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{LINE - 6}"/>')
        parts.append(_text("text", LEFT + length + 8, y + 16, f"{count:,}"))
    bottom = TOP + LINE * len(counts)
    return _svg(title, bottom + BOTTOM, [*parts, _text("faint end", WIDTH - RIGHT, bottom + 24, axis)])


def curves(title: str, axis: str, xs: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """Small panels below each other, one a series, all from zero, over the same x."""
    panel, gap = 90, 34
    left = 70

    def x(value: float) -> float:
        span = (max(xs) - min(xs)) or 1
        return left + (value - min(xs)) / span * (WIDTH - left - RIGHT)

    parts = []
    for number, (label, values) in enumerate(series.items()):
        top = TOP + number * (panel + gap)
        most = max(values) or 1.0
        parts.append(_text("text", left, top - 6, label))
        for share in (0.0, 0.5, 1.0):
            y = top + panel - share * panel
            parts.append(_line("grid", left, y, WIDTH - RIGHT, y))
            parts.append(_text("faint end", left - 8, y + 4, f"{share * most:.3g}"))
        points = " ".join(
            f"{x(at):.1f},{top + panel - value / most * panel:.1f}" for at, value in zip(xs, values, strict=True)
        )
        parts.append(f'<polyline class="curve" points="{points}"/>')
    bottom = TOP + len(series) * (panel + gap)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = min(xs) + share * (max(xs) - min(xs))
        parts.append(_text("faint end" if share == 1.0 else "faint mid", x(value), bottom - 14, f"{value:,.0f}"))
    parts.append(_text("faint end", WIDTH - RIGHT, bottom + 6, axis))
    return _svg(title, bottom + 20, parts)


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img">'
    ground = f'<rect class="ground" width="{WIDTH}" height="{height:g}"/>'
    named = f"<title>{escape(title)}</title>"
    return "\n".join(
        [head, named, f"<style>{STYLE}</style>", ground, _text("text title", 16, 28, title), *parts, "</svg>\n"]
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(kind: str, x: float, y: float, said: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(said)}</text>'
