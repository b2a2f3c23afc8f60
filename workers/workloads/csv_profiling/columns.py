"""Computes the figures of one column."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workers.workloads.csv_profiling.bins import bins, number_labels, time_bins, time_labels
from workers.workloads.csv_profiling.database import one_row
from workers.workloads.csv_profiling.kinds import Kind, find_kind
from workers.workloads.csv_profiling.sheet import Sheet, column
from workers.workloads.csv_profiling.statistics import Column, Histogram, Numbers

if TYPE_CHECKING:
    import duckdb

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_EXACT: Final = 4_000_000  # values: the quantiles of more are approximate (t-digest)
MOST_FREQUENT: Final = 10
_LONGEST_VALUE: Final = 200  # characters shown of a value


def describe_column(sheet: Sheet, place: int) -> tuple[Column, Kind]:
    """The figures of the column at `place`, and its kind."""
    connection, rows, name = sheet.connection, sheet.rows, sheet.dialect.names[place]
    at, table = column(place), sheet.table(place)
    kind = find_kind(connection, table, at)
    grouped = f"SELECT {at} AS v, count(*) AS n FROM {table} WHERE {at} IS NOT NULL GROUP BY v"
    filled, distinct, low, high, longest = one_row(
        connection, f"SELECT coalesce(sum(n), 0), count(*), min(v), max(v), max(length(v)) FROM ({grouped})"
    )
    if not filled:
        return Column(name=name, kind="empty", family="empty", rows=rows, filled=0, distinct=0, frequent=[]), kind
    top = connection.execute(f"SELECT v, n FROM ({grouped}) ORDER BY n DESC, v LIMIT {MOST_FREQUENT}").fetchall()
    known = Column(
        name=name,
        kind=kind.name,
        family=kind.family,
        rows=rows,
        filled=int(filled),
        distinct=int(distinct),
        frequent=[(_shown(value), int(many)) for value, many in top],
    )
    values = f"(SELECT {kind.value(at)} AS x FROM {table} WHERE {at} IS NOT NULL)"
    match kind.family:
        case "number":
            return _with_numbers(connection, known, values, whole=kind.whole), kind
        case "time":
            return _with_times(connection, known, values), kind
    return replace(known, first=_shown(low), last=_shown(high), longest=int(longest)), kind


def _with_numbers(connection: "duckdb.DuckDBPyConnection", known: Column, values: str, *, whole: bool) -> Column:
    low, high, zeros, negatives = one_row(
        connection, f"SELECT min(x), max(x), count_if(x = 0), count_if(x < 0) FROM {values}"
    )
    exact = known.filled <= MOST_EXACT
    quantile = "quantile_cont" if exact else "approx_quantile"
    (quantiles,) = one_row(
        connection, f"SELECT {quantile}(CAST(x AS DOUBLE), [{', '.join(map(str, QUANTILES))}]) FROM {values}"
    )
    mean, sd = one_row(connection, f"SELECT favg(CAST(x AS DOUBLE)), stddev_samp(CAST(x AS DOUBLE)) FROM {values}")
    numbers = Numbers(
        low=low,
        high=high,
        mean=float(mean),
        sd=None if sd is None else float(sd),
        zeros=int(zeros),
        negatives=int(negatives),
        quantiles={part: float(value) for part, value in zip(QUANTILES, quantiles, strict=True)},
        exact=exact,
    )
    # A few values far out would press all others into one bin: they go into the first and the last, which are open then.
    reach = 1.5 * (numbers.quantiles[0.95] - numbers.quantiles[0.05])
    near = (
        (max(float(low), numbers.quantiles[0.05] - reach), min(float(high), numbers.quantiles[0.95] + reach))
        if reach > 0
        else (float(low), float(high))
    )
    edges = bins(*near, whole=whole)
    labels = number_labels(edges, float(low), float(high), whole=whole)
    return replace(known, numbers=numbers, histogram=Histogram(labels, _counts(connection, values, "x", edges)))


def _with_times(connection: "duckdb.DuckDBPyConnection", known: Column, values: str) -> Column:
    first, last, start, end = one_row(
        connection,
        f"SELECT strftime(min(x), '%Y-%m-%d %H:%M:%S'), strftime(max(x), '%Y-%m-%d %H:%M:%S'), epoch(min(x)), epoch(max(x)) FROM {values}",
    )
    edges = time_bins(float(start), float(end))
    histogram = Histogram(time_labels(edges), _counts(connection, values, "epoch(x)", edges))
    return replace(
        known, first=str(first).removesuffix(" 00:00:00"), last=str(last).removesuffix(" 00:00:00"), histogram=histogram
    )


def _counts(connection: "duckdb.DuckDBPyConnection", values: str, number: str, edges: Sequence[float]) -> list[int]:
    """How many values lie in each bin; the first and the last hold all that lies outside the edges, too."""
    counts = [0] * (len(edges) - 1)
    place = " + ".join(["0", *(f"CAST(x >= {edge!r} AS INTEGER)" for edge in edges[1:-1])])
    for bin_, many in connection.execute(
        f"SELECT {place} AS bin, count(*) FROM (SELECT CAST({number} AS DOUBLE) AS x FROM {values}) GROUP BY bin"
    ).fetchall():
        counts[bin_] = int(many)
    return counts


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
