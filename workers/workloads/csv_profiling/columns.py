"""Computes the figures of one column."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workers.workloads.csv_profiling.bins import bins, number_labels, time_bins, time_labels
from workers.workloads.csv_profiling.dates import days_of
from workers.workloads.csv_profiling.quantiles import quantiles
from workers.workloads.csv_profiling.statistics import Column, Histogram, Numbers, Outliers
from workers.workloads.csv_reading.database import one_row
from workers.workloads.csv_reading.kinds import Kind, find_kind
from workers.workloads.csv_reading.sheet import Sheet, column

if TYPE_CHECKING:
    import duckdb

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_NOW: Final = "current_values"  # the table of the values of the column that is looked at
_MOST_SPELT: Final = 20_000  # different values among which spellings of the same are looked for
_MOST_SPELLINGS: Final = 5
MOST_FREQUENT: Final = 10
_LONGEST_VALUE: Final = 200  # characters shown of a value


def describe_column(sheet: Sheet, place: int) -> tuple[Column, Kind]:
    """The figures of the column at `place`, and its kind."""
    connection, rows, name = sheet.connection, sheet.rows, sheet.dialect.names[place]
    at, table = column(place), sheet.table(place)
    kind = find_kind(connection, table, at)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE grouped AS SELECT {at} AS v, count(*) AS n FROM {table} WHERE {at} IS NOT NULL GROUP BY v"
    )
    filled, distinct, low, high, longest, once = one_row(
        connection,
        "SELECT coalesce(sum(n), 0), count(*), min(v), max(v), max(length(v)), count(*) FILTER (WHERE n = 1) FROM grouped",
    )
    if not filled:
        return Column(name=name, kind="empty", family="empty", rows=rows, filled=0, distinct=0, frequent=[]), kind
    top = connection.execute(f"SELECT v, n FROM grouped ORDER BY n DESC, v LIMIT {MOST_FREQUENT}").fetchall()
    known = Column(
        name=name,
        kind=kind.name,
        family=kind.family,
        rows=rows,
        filled=int(filled),
        distinct=int(distinct),
        frequent=[(_shown(value), int(many)) for value, many in top],
        once=int(once),
    )
    if kind.family in ("number", "time"):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_NOW} AS SELECT {kind.value(at)} AS x FROM {table} WHERE {at} IS NOT NULL"
        )
        if kind.family == "number":
            return _with_numbers(connection, known, whole=kind.whole), kind
        return _with_times(connection, known), kind
    spellings = _spellings(connection) if kind.family == "text" and known.distinct <= _MOST_SPELT else []
    return replace(known, first=_shown(low), last=_shown(high), longest=int(longest), spellings=spellings), kind


def _with_numbers(connection: "duckdb.DuckDBPyConnection", known: Column, *, whole: bool) -> Column:
    low, high, zeros, negatives, mean, sd = one_row(
        connection,
        f"""SELECT min(x), max(x), count(*) FILTER (WHERE x = 0), count(*) FILTER (WHERE x < 0), favg(CAST(x AS DOUBLE)),
        stddev_samp(CAST(x AS DOUBLE)) FROM {_NOW}""",
    )
    found = dict(zip(QUANTILES, quantiles(connection, _NOW, known.filled, QUANTILES), strict=True))
    skewness, kurtosis = _shape(connection, float(low), float(high))
    numbers = Numbers(
        low=low,
        high=high,
        mean=float(mean),
        sd=None if sd is None else float(sd),
        zeros=int(zeros),
        negatives=int(negatives),
        skewness=skewness,
        kurtosis=kurtosis,
        quantiles=found,
        outliers=_outliers(connection, found[0.25], found[0.75]),
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
    return replace(known, numbers=numbers, histogram=Histogram(labels, _counts(connection, "x", edges)))


def _with_times(connection: "duckdb.DuckDBPyConnection", known: Column) -> Column:
    first, last, start, end = one_row(
        connection,
        f"SELECT strftime(min(x), '%Y-%m-%d %H:%M:%S'), strftime(max(x), '%Y-%m-%d %H:%M:%S'), epoch(min(x)), epoch(max(x)) FROM {_NOW}",
    )
    edges = time_bins(float(start), float(end))
    histogram = Histogram(time_labels(edges), _counts(connection, "epoch(x)", edges))
    return replace(
        known,
        first=str(first).removesuffix(" 00:00:00"),
        last=str(last).removesuffix(" 00:00:00"),
        days=days_of(connection, _NOW),
        histogram=histogram,
    )


def _shape(connection: "duckdb.DuckDBPyConnection", low: float, high: float) -> tuple[float | None, float | None]:
    """Skewness and kurtosis; of numbers so far apart that their powers are no floats any more, None."""
    reach = max(abs(low), abs(high))
    if low == high or not 1e-60 < reach < 1e60:
        return None, None
    # Around 0 and by their size: the powers of numbers far from 0 would drown what is asked for.
    middle, spread = (low + high) / 2, (high - low) / 2
    values = f"(SELECT (CAST(x AS DOUBLE) - {middle!r}) / {spread!r} AS x FROM {_NOW})"
    found = one_row(connection, f"SELECT skewness(x), kurtosis(x) FROM {values}")
    return tuple(None if value is None or not math.isfinite(value) else float(value) for value in found)  # type: ignore[return-value]


def _outliers(connection: "duckdb.DuckDBPyConnection", first: float, third: float) -> Outliers | None:
    """None where half of the values are the same: all others would be outliers then."""
    reach = 1.5 * (third - first)
    if reach <= 0:
        return None
    low, high = first - reach, third + reach
    below, above = one_row(
        connection, f"SELECT count(*) FILTER (WHERE x < {low!r}), count(*) FILTER (WHERE x > {high!r}) FROM {_NOW}"
    )
    return Outliers(low, high, int(below), int(above))


def _spellings(connection: "duckdb.DuckDBPyConnection") -> list[list[str]]:
    """Values that are the same but for upper case and spaces, the most frequent ones first."""
    found = connection.execute(
        rf"""SELECT list(v ORDER BY n DESC, v) FROM grouped GROUP BY lower(regexp_replace(v, '\s+', ' ', 'g'))
        HAVING count(*) > 1 ORDER BY sum(n) DESC, min(v) LIMIT {_MOST_SPELLINGS}"""
    ).fetchall()
    return [[_shown(one) for one in spellings[:10]] for (spellings,) in found]


def _counts(connection: "duckdb.DuckDBPyConnection", number: str, edges: Sequence[float]) -> list[int]:
    """How many values lie in each bin; the first and the last hold all that lies outside the edges, too."""
    counts = [0] * (len(edges) - 1)
    place = " + ".join(["0", *(f"CAST(x >= {edge!r} AS INTEGER)" for edge in edges[1:-1])])
    for bin_, many in connection.execute(
        f"SELECT {place} AS bin, count(*) FROM (SELECT CAST({number} AS DOUBLE) AS x FROM {_NOW}) GROUP BY bin"
    ).fetchall():
        counts[bin_] = int(many)
    return counts


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
