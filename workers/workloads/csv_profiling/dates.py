"""Which days a column of times covers, and where some are missing."""

from typing import TYPE_CHECKING

from workers.workloads.csv_profiling.statistics import Days, Gap
from workers.workloads.csv_reading.database import one_row

if TYPE_CHECKING:
    import duckdb

_MOST_GAPS = 5  # that are named


def days_of(connection: "duckdb.DuckDBPyConnection", table: str) -> Days:
    """Of the times in the column x of `table`. A gap is longer than the step that is usual between one day and the next."""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE days AS SELECT d, lag(d) OVER (ORDER BY d) AS before, d - lag(d) OVER (ORDER BY d) AS step
        FROM (SELECT DISTINCT CAST(x AS DATE) AS d FROM {table})"""
    )
    several, spanned, usual = one_row(
        connection, "SELECT count(*), max(d) - min(d) + 1, mode(step ORDER BY step) FROM days"
    )
    (gaps,) = one_row(connection, f"SELECT count(*) FROM days WHERE step > {usual or 0}")
    longest = connection.execute(
        f"SELECT CAST(before AS VARCHAR), CAST(d AS VARCHAR), step FROM days WHERE step > {usual or 0} ORDER BY step DESC, d LIMIT {_MOST_GAPS}"
    ).fetchall()
    return Days(
        different=int(several),
        spanned=int(spanned),
        usual_step=None if usual is None else int(usual),
        gaps=int(gaps),
        longest_gaps=[Gap(str(after), str(until), int(step)) for after, until, step in longest],
    )
