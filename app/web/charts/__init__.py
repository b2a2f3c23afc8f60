"""Charts as SVG, drawn by the server: line, bar, scatter, heatmap."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from app.web.charts.bars import bars
from app.web.charts.frame import HEIGHT, Drawing, Series, colour, known
from app.web.charts.heatmap import heatmap
from app.web.charts.points import dots, lines
from app.web.charts.scales import numbers
from app.web.wording import number

__all__ = ["HEIGHT", "Drawing", "draw"]


def draw(block: Mapping[str, Any]) -> Drawing:
    """The drawing of a result's chart block. Values that are no numbers become gaps."""
    x = list(block.get("x") or [])
    series = [
        Series(str(one.get("name") or ""), tuple(numbers(one.get("values") or []))) for one in block.get("series") or []
    ]
    kind = block.get("kind")
    title = str(block.get("name") or "Chart")
    if not known(series):
        return Drawing(Markup('<p class="muted">Nothing to draw: there are no values.</p>'), title)
    legend = tuple((one.name, colour(index)) for index, one in enumerate(series)) if len(series) > 1 else ()
    match kind:
        case "heatmap":
            return Drawing(heatmap(x, series), _say_range(f"{title}, heatmap", series), small=False)
        case "bar":
            return Drawing(bars(x, series), _say(f"{title}, bars", series), legend)
        case "scatter":
            return Drawing(dots(x, series), _say_range(f"{title}, scatter", series), legend)
    return Drawing(lines(x, series), _say(f"{title}, line", series), legend)


def _say(title: str, series: Sequence[Series]) -> str:
    """What somebody hears who does not see the chart: each series with its range, its first and its last value."""
    parts = []
    for one in series[:6]:
        if values := known([one]):
            name = f"{one.name}: " if one.name else ""
            ends = f"from {number(values[0])} at the start to {number(values[-1])} at the end"
            parts.append(f"{name}{number(min(values))} to {number(max(values))}, {ends}")
    return f"{title}. {'; '.join(parts)}."


def _say_range(title: str, series: Sequence[Series]) -> str:
    values = known(series)
    return f"{title}. {len(values):,} values, {number(min(values))} to {number(max(values))}."
