"""Exact quantiles of any number of values, in bounded memory."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from workers.workloads.csv_reading.database import one_row

if TYPE_CHECKING:
    import duckdb

IN_MEMORY: Final = 1_000_000  # values that the database may hold at once
_AROUND: Final = 0.005  # of the ranks on either side of a quantile are looked at


def quantiles(connection: "duckdb.DuckDBPyConnection", table: str, count: int, parts: Sequence[float]) -> list[float]:
    """Of the `count` numbers in the column x of `table`, interpolated as numpy and pandas do.

    Of many, a sketch says about where a quantile lies; then the values around it are counted, whatever lies between two of which is exact.
    """
    if count <= IN_MEMORY:
        listed = ", ".join(map(str, parts))
        (found,) = one_row(connection, f"SELECT quantile_cont(CAST(x AS DOUBLE), [{listed}]) FROM {table}")
        return [float(value) for value in found]
    edges = [min(1.0, max(0.0, part + side)) for part in parts for side in (-_AROUND, _AROUND)]
    (about,) = one_row(
        connection, f"SELECT approx_quantile(CAST(x AS DOUBLE), [{', '.join(map(str, edges))}]) FROM {table}"
    )
    made = []
    for place, part in enumerate(parts):
        rank = part * (count - 1)
        low, high = (
            _ranked(connection, table, math.floor(rank), about[2 * place], about[2 * place + 1]),
            _ranked(connection, table, math.ceil(rank), about[2 * place], about[2 * place + 1]),
        )
        made.append(low + (high - low) * (rank - math.floor(rank)))
    return made


def _ranked(connection: "duckdb.DuckDBPyConnection", table: str, rank: int, low: float, high: float) -> float:
    """The value with `rank` smaller or equal ones before it. It is looked for from `low` to `high`, and among all where it is not there."""
    (before,) = one_row(connection, f"SELECT count(*) FROM {table} WHERE x < {low!r}")
    for where, smaller in ((f"x BETWEEN {low!r} AND {high!r}", int(before)), ("true", 0)):
        (found,) = one_row(
            connection,
            f"""SELECT min(x) FROM (SELECT x, sum(n) OVER (ORDER BY x) AS upto
              FROM (SELECT CAST(x AS DOUBLE) AS x, count(*) AS n FROM {table} WHERE {where} GROUP BY 1)) WHERE upto > {rank - smaller}""",
        )
        if found is not None and rank >= smaller:
            return float(found)
    raise AssertionError("a rank lies among the values")
