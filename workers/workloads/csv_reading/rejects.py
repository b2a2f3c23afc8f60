"""Says which row of a file cannot be read, and why."""

import csv
from typing import TYPE_CHECKING, Final

from workers.workloads.csv_reading.dialect import Dialect
from workers.workloads.csv_reading.errors import BadRow
from workers.workloads.wording import many

if TYPE_CHECKING:
    import duckdb

LONGEST_ROW: Final = 2_000_000  # bytes


def refuse_rejected(connection: "duckdb.DuckDBPyConnection", dialect: Dialect) -> None:
    """Raise `BadRow` for the first row that the database put aside while it read, if there is one."""
    found = connection.execute(
        "SELECT line, error_type, column_idx, csv_line, error_message FROM reject_errors ORDER BY line, column_idx LIMIT 1"
    ).fetchone()
    if found is None:
        return
    row, kind, place, line, message = found
    start = " ".join(str(line or "").split())
    hint = (
        f"Mend this row in the file, and upload it again. It begins: {start[:80]}{'…' if len(start) > 80 else ''}"
        if start
        else None
    )
    width = len(dialect.names)
    match kind:
        case "MISSING COLUMNS" | "TOO MANY COLUMNS":
            # The database stops counting at the first value too many.
            has = len(next(csv.reader(str(line).splitlines(keepends=True), delimiter=dialect.delimiter)))
            raise BadRow(
                f"Row {row:,} has {many(has, 'value')}, but the header names {many(width, 'column')}.", hint=hint
            )
        case "UNQUOTED VALUE":
            name = dialect.names[place - 1] if place and place <= width else "?"
            raise BadRow(
                f"Row {row:,}, column “{name}”: a quotation mark is not closed, or something follows the closing one.",
                hint=hint,
            )
        case "LINE SIZE OVER MAXIMUM":
            raise BadRow(
                f"Row {row:,} is longer than {LONGEST_ROW:,} bytes.", hint="A quotation mark may not be closed there."
            )
    raise BadRow(f"Row {row:,} cannot be read: {message}", hint=hint)
