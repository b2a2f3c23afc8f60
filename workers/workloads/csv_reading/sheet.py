"""A CSV file in the database: its values as trimmed text, NULL where one is missing."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workers.workloads.csv_reading.database import execute_watched, literal, one_row
from workers.workloads.csv_reading.dialect import Dialect
from workers.workloads.csv_reading.errors import BadRow, NoRows
from workers.workloads.csv_reading.rejects import LONGEST_ROW, refuse_rejected

if TYPE_CHECKING:
    import duckdb

MISSING: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A")  # what stands for no value
WIDEST: Final = 64  # columns of a table: the database keeps a buffer for each while it writes


def column(place: int) -> str:
    """The name in SQL of the column at `place`, from 0; the file's own names may be anything."""
    return f"c{place}"


class Sheet:
    """A UTF-8 file at `path`. Its columns are kept in tables of 64, each filled by a reading of its own, so that wide files need no more memory.

    `name` begins the names of its tables, `missing` are the values that stand for none, and `ordered` keeps the rows in the file's order.
    """

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        path: Path,
        dialect: Dialect,
        *,
        name: str = "part",
        missing: Sequence[str] = MISSING,
        ordered: bool = False,
    ) -> None:
        self.connection = connection
        self.dialect = dialect
        self.rows = 0
        self._path = path
        self._name = name
        self._missing = missing
        self._ordered = ordered
        self._places = range(len(dialect.names))

    def read(self, told: Callable[[float], None]) -> None:
        """Fill the tables. `told` hears the fraction that is done. Raises `BadRow`, naming the first row that cannot be read, or `NoRows`."""
        import duckdb

        starts = self._places[::WIDEST]
        # The tables are put side by side by their order.
        ordered = self._ordered or len(starts) > 1
        self.connection.execute(f"SET preserve_insertion_order = {'true' if ordered else 'false'}")
        for done, start in enumerate(starts):
            columns = ", ".join(map(column, self._places[start : start + WIDEST]))
            try:
                execute_watched(
                    self.connection,
                    f"CREATE TABLE {self.table(start)} AS SELECT {columns}, hash({columns}) AS {_hash(start)} FROM {self._file()}",
                    lambda fraction, done=done: told((done + fraction) / len(starts)),  # type: ignore[misc]
                )
            except duckdb.InvalidInputException as error:
                raise BadRow(hint=str(error).split("\n", maxsplit=1)[0]) from error
            refuse_rejected(self.connection, self.dialect)
        (self.rows,) = one_row(self.connection, f"SELECT count(*) FROM {self.table(0)}")
        if self.rows == 0:
            raise NoRows(hint="Add the rows, or choose another file.")

    def table(self, place: int) -> str:
        """The table that holds the column at `place`."""
        return f"{self._name}{place // WIDEST}"

    def across(self, places: Iterable[int]) -> str:
        """SQL of a source that has all these columns, row by row."""
        return " POSITIONAL JOIN ".join(sorted({self.table(place) for place in places}))

    def hash(self) -> str:
        """SQL of a hash of a whole row, 64 bits, over `across` all columns."""
        return f"hash({', '.join(map(_hash, self._places[::WIDEST]))})"

    def _file(self) -> str:
        types = ", ".join(f"'{column(place)}': 'VARCHAR'" for place in self._places)
        trimmed = ", ".join(f"nullif(trim({column(place)}), '') AS {column(place)}" for place in self._places)
        return f"""(SELECT {trimmed} FROM read_csv({literal(str(self._path))}, auto_detect = false, columns = {{{types}}}, header = true,
            skip = {self.dialect.empty_lines}, delim = {literal(self.dialect.delimiter)}, quote = '"', escape = '"', strict_mode = true,
            nullstr = [{", ".join(map(literal, self._missing))}], store_rejects = true, rejects_limit = 100, max_line_size = {LONGEST_ROW}))"""


def _hash(start: int) -> str:
    """The column of the table that begins at `start` that holds a hash of its part of the row."""
    return f"h{start}"
