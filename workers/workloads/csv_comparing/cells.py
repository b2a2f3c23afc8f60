"""Finds the cells that changed in the rows that did."""

from collections.abc import Callable, Sequence

from workers.workloads.csv_comparing.columns import Pair
from workers.workloads.csv_reading.database import execute_watched, one_row
from workers.workloads.csv_reading.sheet import WIDEST, Sheet, column


def find_cells(
    before: Sheet, after: Sheet, compared: Sequence[Pair], key: Sequence[Pair], told: Callable[[float], None]
) -> dict[str, int]:
    """Leave the table `cells` behind: (rows in either file, the key's values as k0, k1, …, place of the column among `compared`, the texts before and after).

    How many cells changed in each column, where some did. `told` hears the fraction that is done.
    """
    connection = before.connection
    keys = "".join(f", k{place} VARCHAR" for place in range(len(key)))
    connection.execute(
        f"CREATE TABLE cells (before_line BIGINT, after_line BIGINT{keys}, place INTEGER, before_text VARCHAR, after_text VARCHAR)"
    )
    connection.execute(
        "CREATE TABLE changed AS SELECT * FROM pairs WHERE before_line IS NOT NULL AND after_line IS NOT NULL"
    )
    (many,) = one_row(connection, "SELECT count(*) FROM changed")
    found: dict[str, int] = {}
    if not many:
        return found
    for start in range(0, len(compared), WIDEST):
        part = compared[start : start + WIDEST]
        execute_watched(
            connection,
            _both(before, after, part, key),
            lambda fraction, start=start: told(min(1.0, (start + fraction * WIDEST) / len(compared))),  # type: ignore[misc]
        )
        counts = one_row(
            connection,
            f"SELECT {', '.join(f'count_if({_differs(pair, at)})' for at, pair in enumerate(part))} FROM both_files",
        )
        found |= {pair.name: int(count) for pair, count in zip(part, counts, strict=True) if count}
        for at, (pair, count) in enumerate(zip(part, counts, strict=True)):
            if count:
                kept = "".join(f", k{place}" for place in range(len(key)))
                connection.execute(
                    f"INSERT INTO cells SELECT before_line, after_line{kept}, {start + at}, b{at}, a{at} FROM both_files WHERE {_differs(pair, at)}"
                )
        connection.execute("DROP TABLE both_files")
        told(min(1.0, (start + WIDEST) / len(compared)))
    return found


def _differs(pair: Pair, at: int) -> str:
    return f"{pair.before_value(f'b{at}')} IS DISTINCT FROM {pair.after_value(f'a{at}')}"


def _both(before: Sheet, after: Sheet, part: Sequence[Pair], key: Sequence[Pair]) -> str:
    """SQL of a table of the changed rows with these columns of both files beside each other."""
    of_key = [f"{column(pair.before)} AS k{at}" for at, pair in enumerate(key)]
    ours = [*of_key, *(f"{column(pair.before)} AS b{at}" for at, pair in enumerate(part))]
    theirs = [f"{column(pair.after)} AS a{at}" for at, pair in enumerate(part)]
    return f"""CREATE TABLE both_files AS SELECT * FROM changed
        JOIN ({numbered(before, ours, [pair.before for pair in (*part, *key)])}) USING (before_line)
        JOIN ({numbered(after, theirs, [pair.after for pair in part], "after_line")}) USING (after_line)"""


def numbered(sheet: Sheet, columns: Sequence[str], places: Sequence[int], name: str = "before_line") -> str:
    """SQL of these columns of a sheet, which lie at `places`, behind the number of their row, from 1."""
    return f"SELECT row_number() OVER () AS {name}, {', '.join(columns)} FROM {sheet.across(places)}"
