"""Computes what goes across columns: correlations, and rows that repeat others."""

import math
from collections.abc import Sequence
from typing import Final

from workers.workloads.csv_profiling.statistics import Column, Correlations
from workers.workloads.csv_reading.database import one_row
from workers.workloads.csv_reading.kinds import Kind
from workers.workloads.csv_reading.sheet import Sheet, column

MOST_CORRELATED: Final = 20  # columns of numbers, the first ones


def correlations(sheet: Sheet, columns: Sequence[tuple[Column, Kind]]) -> Correlations | None:
    """Of the first 20 columns of numbers; None where there are fewer than two. `columns` are all of the sheet, in order."""
    numeric = [(place, one, kind) for place, (one, kind) in enumerate(columns) if one.numbers is not None]
    chosen = numeric[:MOST_CORRELATED]
    if len(chosen) < 2:
        return None
    casts = ", ".join(
        f"CAST({kind.value(column(place))} AS DOUBLE) AS x{at}" for at, (place, _, kind) in enumerate(chosen)
    )
    source = sheet.across(place for place, _, _ in chosen)
    sheet.connection.execute(f"CREATE TABLE numbers AS SELECT {casts} FROM {source}")
    table: list[list[float | None]] = [[None] * len(chosen) for _ in chosen]
    for one in range(len(chosen)):
        wanted = ", ".join(f"corr(x{one}, x{other})" for other in range(one + 1))
        found = one_row(sheet.connection, f"SELECT {wanted} FROM numbers")
        for other, value in enumerate(found):
            told = None if value is None or not math.isfinite(value) else round(float(value), 6)
            table[one][other] = table[other][one] = told
    return Correlations([one.name for _, one, _ in chosen], table)


def repeated_rows(sheet: Sheet) -> int:
    """How many rows are the same as an earlier one."""
    source = sheet.across(range(len(sheet.dialect.names)))
    # By a hash: the rows themselves would not fit into the memory.
    (distinct,) = one_row(sheet.connection, f"SELECT count(*) FROM (SELECT 1 FROM {source} GROUP BY {sheet.hash()})")
    return sheet.rows - int(distinct)
