"""Finds the rows that belong together, inside the database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.workloads.csv_comparing.columns import Columns, Pair
from workers.workloads.csv_reading.database import execute_watched, one_row
from workers.workloads.csv_reading.sheet import Sheet, column

if TYPE_CHECKING:
    import duckdb

APART: Final = "chr(31)"  # between the values of a key; no text file holds it
_REPEAT: Final = "chr(30)"  # between a key that repeats and the hash of its row


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of either file, and how many of them were added, removed, changed, or are the same."""

    before: int
    after: int
    added: int
    removed: int
    changed: int
    repeated_keys: int

    @property
    def same(self) -> int:
        """Rows that are in both files as they are."""
        return self.before - self.removed - self.changed


def match_rows(
    before: Sheet, after: Sheet, columns: Columns, key: Sequence[Pair], told: Callable[[float], None]
) -> Counts:
    """Leave the table `pairs` behind: (row in the first file, row in the second), from 1 and NULL where there is none, of all that are not the same.

    Rows belong together by `key`, or as a whole where it is empty. Where a key stands in more than one row of a file, its rows are compared as wholes: nobody
    could say which of them became which. `told` hears the fraction that is done.
    """
    connection = before.connection
    steps = [
        f"CREATE TABLE before_rows AS {_rows(before, [pair.before_value(column(pair.before)) for pair in columns.compared], [pair.before_value(column(pair.before)) for pair in key])}",
        f"CREATE TABLE after_rows AS {_rows(after, [pair.after_value(column(pair.after)) for pair in columns.compared], [pair.after_value(column(pair.after)) for pair in key])}",
        """CREATE TABLE repeated AS SELECT k, max(b) AS before_count, max(a) AS after_count FROM (
            SELECT k, count(*) AS b, 0 AS a FROM before_rows GROUP BY k HAVING count(*) > 1
            UNION ALL SELECT k, 0, count(*) FROM after_rows GROUP BY k HAVING count(*) > 1) GROUP BY k""",
        f"""CREATE TABLE pairs AS SELECT b.line AS before_line, a.line AS after_line
            FROM ({_identified("before_rows")}) b FULL JOIN ({_identified("after_rows")}) a ON b.i = a.i AND b.n = a.n
            WHERE b.line IS NULL OR a.line IS NULL OR b.h <> a.h""",
    ]
    for place, step in enumerate(steps):
        execute_watched(connection, step, lambda fraction, place=place: told((place + fraction) / len(steps)))  # type: ignore[misc]
    return _counts(connection, before, after, keyed=bool(key))


def _rows(sheet: Sheet, values: Sequence[str], key: Sequence[str]) -> str:
    """SQL of a table of each row's number, key and hash."""
    places = range(len(sheet.dialect.names))
    identity = _joined(key) if key else f"CAST(md5_number({_joined(values)}) AS VARCHAR)"
    hashed = f"hash({', '.join(values)})" if values else "CAST(0 AS UBIGINT)"
    return f"SELECT row_number() OVER () AS line, {identity} AS k, {hashed} AS h FROM {sheet.across(places)}"


def _joined(values: Sequence[str]) -> str:
    return f" || {APART} || ".join(f"coalesce({value}, '')" for value in values) or "''"


def _identified(rows: str) -> str:
    """SQL of each row's number and hash with what it is found by: its key, or key, hash and a running number where the key repeats."""
    return f"""SELECT line, h, k AS i, 0 AS n FROM {rows} ANTI JOIN repeated USING (k)
        UNION ALL SELECT line, h, k || {_REPEAT} || h AS i, row_number() OVER (PARTITION BY k, h ORDER BY line) AS n FROM {rows} SEMI JOIN repeated USING (k)"""


def _counts(connection: "duckdb.DuckDBPyConnection", before: Sheet, after: Sheet, *, keyed: bool) -> Counts:
    added, removed, changed = one_row(
        connection,
        "SELECT count(*) - count(before_line), count(*) - count(after_line), count(before_line + after_line) FROM pairs",
    )
    (repeated,) = one_row(connection, "SELECT count(*) FROM repeated")
    return Counts(
        before=before.rows,
        after=after.rows,
        added=int(added),
        removed=int(removed),
        changed=int(changed),
        repeated_keys=int(repeated) if keyed else 0,
    )
