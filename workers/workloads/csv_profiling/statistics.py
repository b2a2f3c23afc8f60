"""The figures of each column, computed by the database a column at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from workers.workloads.csv_profiling.bins import bins, number_labels, time_bins, time_labels
from workers.workloads.csv_profiling.kinds import Kind, find_kind
from workers.workloads.csv_profiling.reading import column

if TYPE_CHECKING:
    import duckdb

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_EXACT: Final = 4_000_000  # values: the quantiles of more are approximate (t-digest)
MOST_FREQUENT: Final = 10
MOST_CORRELATED: Final = 20  # columns of numbers, the first ones
_LONGEST_VALUE: Final = 200  # characters shown of a value


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fall into each bin."""

    labels: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Figures of a column of numbers. `sd` is the sample's standard deviation; None where there is none, or it is too large for a float."""

    low: float
    high: float
    mean: float | None
    sd: float | None
    zeros: int
    negatives: int
    quantiles: dict[float, float] = field(default_factory=dict)
    exact: bool = True  # the quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What is known of a column. `filled` counts the values that are there, `frequent` its most frequent ones; first and last are of dates and texts."""

    name: str
    kind: str
    family: str
    rows: int
    filled: int
    distinct: int
    frequent: list[tuple[str, int]]
    first: str | None = None
    last: str | None = None
    longest: int | None = None  # characters
    numbers: Numbers | None = None
    histogram: Histogram | None = None

    @property
    def missing(self) -> int:
        """How many values are not there."""
        return self.rows - self.filled

    @property
    def missing_share(self) -> float:
        """0 to 1."""
        return self.missing / self.rows


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's coefficient of every pair of columns of numbers, over the rows that have both; None where one of them does not vary."""

    names: list[str]
    rows: list[list[float | None]]


def describe_column(connection: "duckdb.DuckDBPyConnection", place: int, name: str, rows: int) -> tuple[Column, Kind]:
    """The figures of the column at `place`, and its kind."""
    at = column(place)
    kind = find_kind(connection, at)
    grouped = f"SELECT {at} AS v, count(*) AS n FROM rows WHERE {at} IS NOT NULL GROUP BY v"
    filled, distinct, low, high, longest = _one(
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
    values = f"(SELECT {kind.value(at)} AS x FROM rows WHERE {at} IS NOT NULL)"
    match kind.family:
        case "number":
            return _with_numbers(connection, known, values, whole=kind.whole), kind
        case "time":
            return _with_times(connection, known, values), kind
    return replace(known, first=_shown(low), last=_shown(high), longest=int(longest)), kind


def correlations(
    connection: "duckdb.DuckDBPyConnection", columns: Sequence[tuple[Column, Kind]]
) -> Correlations | None:
    """Of the first 20 columns of numbers; None where there are fewer than two. `columns` are all of the table, in order."""
    import duckdb

    numeric = [(place, one, kind) for place, (one, kind) in enumerate(columns) if one.numbers is not None][
        :MOST_CORRELATED
    ]
    if len(numeric) < 2:
        return None
    casts = ", ".join(
        f"CAST({kind.value(column(place))} AS DOUBLE) AS x{at}" for at, (place, _, kind) in enumerate(numeric)
    )
    connection.execute(f"CREATE TABLE numbers AS SELECT {casts} FROM rows")
    table: list[list[float | None]] = []
    for one in range(len(numeric)):
        wanted = ", ".join(f"corr(x{one}, x{other})" for other in range(len(numeric)))
        try:
            found = list(_one(connection, f"SELECT {wanted} FROM numbers"))
        except duckdb.OutOfRangeException:
            # One of them is too large for its square to be a float; which one is not said.
            found = [_correlation(connection, one, other) for other in range(len(numeric))]
        table.append([None if value is None or not math.isfinite(value) else round(float(value), 6) for value in found])
    return Correlations([one.name for _, one, _ in numeric], table)


def repeated_rows(connection: "duckdb.DuckDBPyConnection", columns: int, rows: int) -> int:
    """How many rows are the same as an earlier one."""
    every = ", ".join(column(place) for place in range(columns))
    # By a hash of 64 bits: the rows themselves would not fit into the memory.
    (distinct,) = _one(connection, f"SELECT count(*) FROM (SELECT 1 FROM rows GROUP BY hash({every}))")
    return rows - int(distinct)


def _with_numbers(connection: "duckdb.DuckDBPyConnection", known: Column, values: str, *, whole: bool) -> Column:
    import duckdb

    low, high, zeros, negatives = _one(
        connection, f"SELECT min(x), max(x), count_if(x = 0), count_if(x < 0) FROM {values}"
    )
    exact = known.filled <= MOST_EXACT
    quantile = "quantile_cont" if exact else "approx_quantile"
    (quantiles,) = _one(
        connection, f"SELECT {quantile}(CAST(x AS DOUBLE), [{', '.join(map(str, QUANTILES))}]) FROM {values}"
    )
    try:
        mean, sd = _one(connection, f"SELECT favg(CAST(x AS DOUBLE)), stddev_samp(CAST(x AS DOUBLE)) FROM {values}")
    except duckdb.OutOfRangeException:
        mean = sd = None  # the squares of such numbers are no floats
    numbers = Numbers(
        low=low,
        high=high,
        mean=_finite(mean),
        sd=_finite(sd),
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
    first, last, start, end = _one(
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


def _correlation(connection: "duckdb.DuckDBPyConnection", one: int, other: int) -> float | None:
    import duckdb

    try:
        (found,) = _one(connection, f"SELECT corr(x{one}, x{other}) FROM numbers")
    except duckdb.OutOfRangeException:
        return None
    return None if found is None else float(found)


def _one(connection: "duckdb.DuckDBPyConnection", sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or ()


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
