"""The report to download: one HTML file with its style and charts inside, no script."""

from collections.abc import Iterable
from html import escape

from workers.workloads.csv_profiling.drawing import frequencies, heatmap, histogram
from workers.workloads.csv_profiling.profile import Profile
from workers.workloads.csv_profiling.statistics import Column, Numbers, percent
from workers.workloads.csv_profiling.style import STYLE

_SHADES = "".join(
    f".{name}{at}{{background:rgb(var(--{colour})/{at * 0.07:.2f})}}"
    for name, colour in (("up", "rgb"), ("down", "red"))
    for at in range(11)
)


def report(profile: Profile) -> str:
    """The whole page."""
    tiles = {
        "Rows": f"{profile.rows:,}",
        "Columns": f"{len(profile.columns):,}",
        "Missing values": percent(profile.missing_share),
        "Repeated rows": f"{profile.repeated:,}",
    }
    body = [
        f"<h1>{escape(profile.file)}</h1>",
        f'<p class="sub">{_size(profile.size)} · {escape(profile.encoding)} · {escape(profile.delimiter)}-separated · SHA-256 {profile.sha256[:16]}…</p>',
        f'<p class="head">{escape(profile.headline)}.</p>',
        f'<dl class="tiles">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())}</dl>',
        *_findings(profile),
        "<h2>Columns</h2>",
        _table(
            ("Column", "Type", "Missing", "Distinct", "Smallest", "Largest"),
            (_overview(one) for one in profile.columns),
        ),
        "<h2>Each column</h2>",
        f'<div class="cards">{"".join(map(_card, profile.columns))}</div>',
    ]
    if profile.patterns is not None:
        lines = [
            (", ".join(names), f"{many:,}", percent(many / profile.rows)) for names, many in profile.patterns.frequent
        ]
        body += ["<h2>Missing together</h2>", _table(("Columns", "Rows", "Share"), lines)]
    if profile.correlations is not None:
        body += ["<h2>Correlations</h2>", heatmap(profile.correlations.names, profile.correlations.rows)]
    notes = ["Empty fields and NA, N/A, NaN, null, None and #N/A count as missing."]
    notes += ["Outliers lie more than 1.5 times the distance of the quartiles outside them."]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(profile.file)}: profile</title><style>{STYLE}{_SHADES}</style></head><body><main>"
        f"{''.join(body)}<footer>{' '.join(notes)} Made by Taskline.</footer></main></body></html>\n"
    )


def _findings(profile: Profile) -> list[str]:
    items = "".join(f"<li><b>{escape(about)}</b> {escape(said)}</li>" for about, said in profile.findings)
    return ["<h2>What stands out</h2>", f'<ul class="found">{items}</ul>'] if items else []


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col"{_left(place)}>{name}</th>' for place, name in enumerate(heads))
    lines = []
    for name, *cells in rows:
        lines.append(
            f'<tr><th scope="row" title="{escape(name)}">{escape(name)}</th>{"".join(f"<td{_left(place)}>{escape(cell)}</td>" for place, cell in enumerate(cells, 1))}</tr>'
        )
    return f'<div class="scroll"><table class="list"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _left(place: int) -> str:
    return ' class="l"' if place == 1 else ""


def _overview(one: Column) -> tuple[str, ...]:
    low, high = _ends(one)
    return one.name, one.kind, percent(one.missing_share), f"{one.distinct:,}", _cut(low), _cut(high)


def _card(one: Column) -> str:
    facts = {
        "Missing": f"{one.missing:,} ({percent(one.missing_share)})".replace(" %", "\u00a0%")
        if one.missing
        else "none",
        "Distinct": "all" if 1 < one.distinct == one.filled else f"{one.distinct:,}",
    }
    drawing = ""
    if one.numbers is not None:
        facts |= _figures(one.numbers)
    elif one.family == "time":
        facts |= {"First": one.first or "", "Last": one.last or ""}
        if one.days is not None:
            facts |= {"Days": f"{one.days.different:,} of {one.days.spanned:,}", "Gaps": f"{one.days.gaps:,}"}
    elif one.longest is not None and one.family == "text":
        facts |= {"Longest": f"{one.longest:,} characters", "In one row alone": f"{one.once:,}"}
    if one.histogram is not None:
        drawing = histogram(one.histogram.labels, one.histogram.counts, f"Histogram of {one.name}")
    elif one.distinct < one.filled:
        drawing = frequencies(one.frequent, one.rows)
    said = "".join(
        f"<div><dt>{name}</dt><dd{_gap(name, one)}>{escape(value)}</dd></div>" for name, value in facts.items()
    )
    return f'<section class="card"><div class="top"><h3>{escape(one.name)}</h3><span class="kind">{escape(one.kind)}</span></div>{drawing}<dl class="facts">{said}</dl></section>'


def _gap(name: str, one: Column) -> str:
    return ' class="gap"' if name == "Missing" and one.missing else ""


def _figures(numbers: Numbers) -> dict[str, str]:
    quantiles = {
        ("Median" if part == 0.5 else f"{part * 100:g} %"): _number(value) for part, value in numbers.quantiles.items()
    }
    return {
        "Mean": _number(numbers.mean),
        "Deviation": _number(numbers.sd),
        "Smallest": _number(numbers.low),
        "Largest": _number(numbers.high),
        **quantiles,
        "Skewness": _number(numbers.skewness),
        "Outliers": "–" if numbers.outliers is None else f"{numbers.outliers.below + numbers.outliers.above:,}",
    }


def _ends(one: Column) -> tuple[str, str]:
    return (
        (_number(one.numbers.low), _number(one.numbers.high))
        if one.numbers is not None
        else (one.first or "", one.last or "")
    )


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _size(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
