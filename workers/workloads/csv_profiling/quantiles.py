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
    ranges = [(about[2 * place], about[2 * place + 1]) for place in range(len(parts))]
    smaller = one_row(connection, f"SELECT {', '.join(f'count_if(x < {low!r})' for low, _ in ranges)} FROM {table}")
    made = []
    for part, (low, high), before in zip(parts, ranges, smaller, strict=True):
        rank = part * (count - 1)
        near = f"x BETWEEN {low!r} AND {high!r}"
        found = _ranked(connection, table, near, before, rank) or _ranked(connection, table, "true", 0, rank)
        if found is None:
            raise AssertionError("a rank lies among the values")
        one, other = found
        made.append(one + (other - one) * (rank - math.floor(rank)))
    return made


def _ranked(
    connection: "duckdb.DuckDBPyConnection", table: str, where: str, before: int, rank: float
) -> tuple[float, float] | None:
    """The values at the whole ranks, from 0, around `rank`, looked for among those `where`, which have `before` smaller ones; None where they are not there."""
    floor, ceiling = math.floor(rank) - before, math.ceil(rank) - before
    low, high = one_row(
        connection,
        f"""SELECT min(x) FILTER (WHERE upto > {floor}), min(x) FILTER (WHERE upto > {ceiling}) FROM (SELECT x, sum(n) OVER (ORDER BY x) AS upto
          FROM (SELECT CAST(x AS DOUBLE) AS x, count(*) AS n FROM {table} WHERE {where} GROUP BY 1))""",
    )
    return None if floor < 0 or high is None else (float(low), float(high))
