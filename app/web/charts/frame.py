"""What all charts share: series, colours, the frame with its axes. No script, no style attribute, colours by class.

Text stays crisp at every width: the marks are stretched in a viewBox with strokes that do not scale, the labels stand in percent beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from app.web.charts.scales import Scale
from app.web.wording import compact

HEIGHT: Final = 220.0  # px, of a plot
WIDTH: Final = 1000.0  # units of the stretched viewBox
_TOP: Final = 8.0
_COLOURS: Final = 6
_MOST_NAMED: Final = 800  # marks; of more, none tells its value under the pointer: the page would grow by megabytes


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


def known(series: Sequence[Series]) -> list[float]:
    """All values, without the gaps."""
    return [value for one in series for value in one.values if value is not None]


def colour(index: int) -> str:
    """The class of a series: six colours, then the same ones dashed."""
    return f"k{index % _COLOURS}" + (" dash" if index >= _COLOURS else "")


def hover(text: str, marks: int) -> str:
    """What a mark says under the pointer."""
    return f"<title>{escape(text)}</title>" if marks <= _MOST_NAMED else ""


def markup(text: str) -> Markup:
    """`text` as markup: its numbers are formatted and its names escaped where it is put together."""
    return Markup(text)  # noqa: S704  see above


def height_of(y: Scale, value: float) -> float:
    """Where a value stands in a plot, from the top."""
    return _TOP + (1 - y.share(value)) * (HEIGHT - 2 * _TOP)


def plot(y: Scale, marks: str, labels: Sequence[tuple[float, str]]) -> Markup:
    """Marks in a frame: ticks of `y` to the left, `labels` (share of the width, text) below."""
    ticks = [compact(tick) for tick in y.ticks]
    left = 12 + round(7.2 * max(len(tick) for tick in ticks))
    side, lines = [], []
    for tick, text in zip(y.ticks, ticks, strict=True):
        at = height_of(y, tick)
        side.append(f'<text x="{left - 10}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
        zero = " zero" if tick == 0 and y.low < 0 else ""
        lines.append(f'<path class="grid{zero}" d="M0 {at:.1f}H{WIDTH:.0f}"/>')
    below = [
        f'<text x="{share * 100:.2f}%" y="18" text-anchor="{_anchor(share)}">{escape(text)}</text>'
        for share, text in labels
    ]
    return markup(
        f'<div class="plotbox"><svg class="yax" width="{left}" height="{HEIGHT:.0f}">{"".join(side)}</svg>'
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" height="{HEIGHT:.0f}">'
        f'{"".join(lines)}{marks}</svg><svg class="xax" height="24">{"".join(below)}</svg></div>'
    )


def _anchor(share: float) -> str:
    return "start" if share < 0.02 else "end" if share > 0.98 else "middle"
