"""Reads a CSV file into a table on disk, within bounded memory, and says which row cannot be read."""

import csv
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workers.workloads.csv_profiling.dialect import Dialect
from workers.workloads.csv_profiling.errors import BadRow, NoRows

if TYPE_CHECKING:
    import duckdb

MEMORY: Final = "160MB"  # of the database; the process takes about 120 more
LONGEST_ROW: Final = 2_000_000  # bytes
MISSING: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A")  # what stands for no value
_POLL: Final = 0.1  # seconds


@contextmanager
def database(folder: Path) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A database in `folder` that keeps to its memory and puts the rest on disk."""
    import duckdb

    config: dict[str, Any] = {
        "memory_limit": MEMORY,
        "temp_directory": str(folder / "spilled"),
        "threads": 2,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(str(folder / "table.duckdb"), config=config)
    try:
        connection.execute(
            "SET enable_progress_bar = true; SET enable_progress_bar_print = false"
        )  # so that it counts, and is quiet
        yield connection
    finally:
        connection.close()


def column(place: int) -> str:
    """The name in the table of the column at `place`, from 0; the file's own names may be anything."""
    return f"c{place}"


def read(connection: "duckdb.DuckDBPyConnection", path: Path, dialect: Dialect, told: Callable[[float], None]) -> int:
    """Fill `rows` with the file's values as trimmed text, NULL where one is missing; the number of rows. `told` hears the fraction that is done.

    Raises `BadRow`, naming the first row that cannot be read, or `NoRows`.
    """
    import duckdb

    places = range(len(dialect.names))
    types = ", ".join(f"'{column(place)}': 'VARCHAR'" for place in places)
    trimmed = ", ".join(f"nullif(trim({column(place)}), '') AS {column(place)}" for place in places)
    sql = f"""CREATE TABLE rows AS SELECT {trimmed} FROM read_csv({_text(str(path))}, auto_detect = false, header = true, skip = {dialect.empty_lines}, columns = {{{types}}},
        delim = {_text(dialect.delimiter)}, quote = '"', escape = '"', nullstr = [{", ".join(map(_text, MISSING))}],
        strict_mode = true, store_rejects = true, rejects_limit = 100, max_line_size = {LONGEST_ROW})"""
    try:
        _watched(connection, sql, told)
    except duckdb.InvalidInputException as error:
        raise BadRow(hint=str(error).split("\n", maxsplit=1)[0]) from error
    _refuse_rejected(connection, dialect)
    (rows,) = connection.execute("SELECT count(*) FROM rows").fetchone() or (0,)
    if rows == 0:
        raise NoRows(hint="Add the rows, or choose another file.")
    return int(rows)


def _watched(connection: "duckdb.DuckDBPyConnection", sql: str, told: Callable[[float], None]) -> None:
    """Execute a statement, telling how far it is. In a thread, so that a cancel can interrupt it."""
    raised: list[Exception] = []
    done = threading.Event()

    def execute() -> None:
        try:
            connection.execute(sql)
        except Exception as error:  # noqa: BLE001  raised again by the caller
            raised.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=execute, name="reading")
    thread.start()
    try:
        while not done.wait(_POLL):
            told(max(0.0, connection.query_progress()) / 100)
    finally:
        if not done.is_set():
            connection.interrupt()
        thread.join()
    if raised:
        raise raised[0]


def _refuse_rejected(connection: "duckdb.DuckDBPyConnection", dialect: Dialect) -> None:
    found = connection.execute(
        "SELECT line, error_type, column_idx, csv_line, error_message FROM reject_errors ORDER BY line, column_idx LIMIT 1"
    ).fetchone()
    if found is None:
        return
    row, kind, place, line, message = found
    start = " ".join(str(line or "").split())
    hint = f"It begins: {start[:80]}{'…' if len(start) > 80 else ''}" if start else None
    width = len(dialect.names)
    match kind:
        case "MISSING COLUMNS" | "TOO MANY COLUMNS":
            # The database stops counting at the first value too many.
            has = len(next(csv.reader(str(line).splitlines(keepends=True), delimiter=dialect.delimiter)))
            raise BadRow(
                f"Row {row:,} has {_many(has, 'value')}, but the header names {_many(width, 'column')}.", hint=hint
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


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _text(value: str) -> str:
    """`value` as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
