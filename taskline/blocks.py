"""Makes a result's blocks from what authors hand over, cut to the documented limits. Each maker says what was cut."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Literal, cast

import pydantic_core

from taskline import limits
from taskline.plain import cell, cut, label, number, thin
from taskline.results import Cell, Chart, Metric, Series, Table, Text

Kind = Literal["line", "bar", "scatter", "heatmap"]
KINDS: Final = ("line", "bar", "scatter", "heatmap")
Cuts = list[str]


def text_block(name: str, markdown: str, cuts: Cuts) -> Text:
    """A text of at most 20,000 characters."""
    if len(markdown) > limits.LONGEST_TEXT:
        cuts.append(f"text {name!r} was cut to {limits.LONGEST_TEXT:,} characters")
    return Text(name=_name(name), markdown=cut(markdown, limits.LONGEST_TEXT))


def metric_block(
    name: str, value: Any, unit: str | None, step: float | None, earlier: Metric | None, cuts: Cuts
) -> Metric:
    """A figure. With `step` it joins the points of `earlier`; of more than 2,000 points every second one is dropped."""
    shown, was_cut = cell(value)
    if was_cut:
        cuts.append(f"metric {name!r} was cut to {limits.LONGEST_CELL} characters")
    points = None
    if step is not None:
        points = [*((earlier.points if earlier else None) or ()), (step, number(value))]
        if len(points) > limits.MOST_POINTS:
            points = [*points[:-1:2], points[-1]]
    return Metric(name=_name(name), value=shown, unit=cut(unit, limits.LONGEST_UNIT) if unit else None, points=points)


def table_block(name: str, rows: Iterable[Mapping[str, Any]], cuts: Cuts) -> Table:
    """The first 200 rows and 50 columns, or as many rows as 1 MiB holds; every row is counted. A column exists where one of the shown rows has it."""
    source = iter(rows)
    shown = list(islice(source, limits.MOST_ROWS))
    total = len(shown) + sum(1 for _ in source)
    columns = list(dict.fromkeys(str(column) for row in shown for column in row))
    kept = columns[: limits.MOST_COLUMNS]
    named = [{str(column): value for column, value in row.items()} for row in shown]
    cells = [[cell(row.get(column)) for column in kept] for row in named]
    if any(was_cut for line in cells for _, was_cut in line):
        cuts.append(f"long cells of table {name!r} were cut to {limits.LONGEST_CELL} characters")
    if len(kept) < len(columns):
        cuts.append(f"table {name!r} shows {len(kept)} of {len(columns)} columns")
    lines = [[value for value, _ in line] for line in cells]
    fitting = _fitting(lines)
    if len(fitting) < len(lines):
        cuts.append(
            f"table {name!r} shows the first {len(fitting)} of {total:,} rows: more would be larger than {limits.LARGEST_TABLE >> 20} MiB"
        )
    return Table(
        name=_name(name),
        columns=[cut(column, limits.LONGEST_NAME) for column in kept],
        rows=fitting,
        total_rows=total,
        total_columns=len(columns),
    )


def chart_block(
    name: str,
    kind: str,
    x: Sequence[Any],
    y: Sequence[Any] | Mapping[str, Sequence[Any]],
    z: Sequence[Sequence[Any]] | None,
    labels: tuple[str, str],
    cuts: Cuts,
) -> Chart:
    """A chart. `y` is one series or several by name; of a heatmap, the names of the rows, and `z` the rows. Too many points are thinned evenly.

    Raises `ValueError` where the kind is unknown or a series has not one value for each x.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no chart of kind {kind!r}: take one of {', '.join(KINDS)}")
    places = list(x)
    if kind == "heatmap":
        if z is None or isinstance(y, Mapping):
            raise ValueError("a heatmap takes x and y as names and z as one row of values for each y")
        series = list(zip((str(row) for row in y), z, strict=True))
    elif isinstance(y, Mapping):
        series = [(str(key), values) for key, values in y.items()]
    else:
        series = [("", y)]
    for key, values in series:
        if len(values) != len(places):
            raise ValueError(f"series {key!r} has {len(values)} values for {len(places)} places on the x axis")
    wide, high = (
        (limits.MOST_HEATMAP, limits.MOST_HEATMAP) if kind == "heatmap" else (limits.MOST_POINTS, limits.MOST_SERIES)
    )
    if len(places) > wide or len(series) > high:
        cuts.append(
            f"chart {name!r} shows {min(wide, len(places)):,} of {len(places):,} points of {min(high, len(series))} of {len(series)} series"
        )
    drawn = [
        Series(name=cut(key, limits.LONGEST_NAME), values=thin([number(value) for value in values], wide))
        for key, values in series[:high]
    ]
    return Chart(
        name=_name(name),
        kind=cast("Kind", kind),
        x=thin([label(place) for place in places], wide),
        series=drawn,
        x_label=cut(labels[0], limits.LONGEST_NAME),
        y_label=cut(labels[1], limits.LONGEST_NAME),
    )


def _fitting(lines: list[list[Cell]]) -> list[list[Cell]]:
    """As many of the first lines as a table may hold."""
    room = limits.LARGEST_TABLE
    for place, line in enumerate(lines):
        room -= len(pydantic_core.to_json(line)) + 1
        if room < 0:
            return lines[:place]
    return lines


def _name(name: str) -> str:
    return cut(name, limits.LONGEST_NAME)
