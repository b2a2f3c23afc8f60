"""Which columns lack their values in the same rows."""

from collections.abc import Sequence
from typing import Final

from workers.workloads.csv_profiling.statistics import Column, MissingPatterns
from workers.workloads.csv_reading.database import one_row
from workers.workloads.csv_reading.sheet import Sheet, column

_MOST_SHOWN: Final = 12
_MOST_COLUMNS: Final = 62  # as many as the bits of a number; those that lack the most


def missing_patterns(sheet: Sheet, columns: Sequence[Column]) -> MissingPatterns | None:
    """The most frequent sets of columns that are missing together; None where nothing is missing. `columns` are all of the sheet, in order."""
    lacking = sorted(
        (place for place, one in enumerate(columns) if one.missing), key=lambda place: -columns[place].missing
    )
    chosen = sorted(lacking[:_MOST_COLUMNS])
    if not chosen:
        return None
    mask = " + ".join(f"(CAST({column(place)} IS NULL AS BIGINT) << {bit})" for bit, place in enumerate(chosen))
    whole = " AND ".join(f"{column(place)} IS NOT NULL" for place in lacking)
    sheet.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE patterns AS SELECT {mask} AS mask, count(*) AS n, count_if({whole}) AS complete FROM {sheet.across(lacking)} GROUP BY mask"
    )
    found = sheet.connection.execute(
        f"SELECT mask, n FROM patterns WHERE mask <> 0 ORDER BY n DESC, mask LIMIT {_MOST_SHOWN}"
    ).fetchall()
    several, complete = one_row(sheet.connection, "SELECT count_if(mask <> 0), sum(complete) FROM patterns")
    return MissingPatterns(
        complete=int(complete),
        different=int(several),
        frequent=[
            ([columns[place].name for bit, place in enumerate(chosen) if mask >> bit & 1], int(many))
            for mask, many in found
        ],
    )
