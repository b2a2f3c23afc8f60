"""Small charts in SVG for the report: bars and a correlation table, with their texts escaped."""

from collections.abc import Sequence
from html import escape

_WIDTH = 420
_HEIGHT = 120
_BASE = 100


def histogram(labels: Sequence[str], counts: Sequence[int], said: str) -> str:
    """Bars side by side; the first and the last label stand below, each bar's own in its title."""
    highest = max(counts) or 1
    slot = _WIDTH / len(counts)
    bars = []
    for place, (label, count) in enumerate(zip(labels, counts, strict=True)):
        height = max(count / highest * (_BASE - 8), 1.0 if count else 0.0)
        bars.append(
            f'<rect x="{place * slot + 0.75:.2f}" y="{_BASE - height:.2f}" width="{max(slot - 1.5, 0.5):.2f}" height="{height:.2f}" rx="1.5">'
            f"<title>{escape(label)}: {count:,}</title></rect>"
        )
    ends = f'<text x="0" y="{_HEIGHT - 4}">{escape(labels[0])}</text>'
    if len(labels) > 1:
        ends += f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{escape(labels[-1])}</text>'
    line = f'<path d="M0 {_BASE + 0.5}H{_WIDTH}" class="axis"/>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}">{"".join(bars)}{line}{ends}</svg>'


def frequencies(values: Sequence[tuple[str, int]], rows: int) -> str:
    """One bar below the other, as a table: value, bar, count."""
    highest = max(count for _, count in values)
    lines = []
    for value, count in values:
        bar = f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="{count / highest * 100:.2f}" height="8"/></svg>'
        lines.append(
            f'<tr><th scope="row" title="{escape(value)}">{escape(value)}</th><td class="bar">{bar}</td><td>{count:,}</td><td>{count / rows:.1%}</td></tr>'
        )
    return f'<table class="frequent"><tbody>{"".join(lines)}</tbody></table>'


def heatmap(names: Sequence[str], rows: Sequence[Sequence[float | None]]) -> str:
    """A table whose cells are the darker the stronger two columns go together; red for opposite ways."""
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    lines = []
    for name, row in zip(names, rows, strict=True):
        cells = "".join(_cell(value) for value in row)
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return f'<div class="scroll"><table class="heat"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _cell(value: float | None) -> str:
    if value is None:
        return '<td class="none">–</td>'
    strength = round(abs(value) * 10)
    return f'<td class="{"down" if value < 0 else "up"}{strength}">{value:.2f}</td>'
