"""Reads a CSV file, of which a large one is sampled, so that memory stays bounded whatever its size."""

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from taskline import File
from workers.workloads.csv_reading.errors import BadRow, NoRows
from workers.workloads.csv_reading.opening import readable
from workers.workloads.csv_reading.sheet import MISSING
from workers.workloads.wording import many

MOST_ROWS: Final = 50_000
MOST_CELLS: Final = 2_500_000
LONGEST_CELL: Final = 100  # characters; a longer one is a text, from which nothing is learned here
_TOLD_EACH: Final = 10_000  # rows

Cells = list[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The rows that are learned from, by column: trimmed texts, None where a value is missing."""

    delimiter: str
    encoding: str  # Python's name
    names: tuple[str, ...]
    columns: list[Cells]
    places: list[int]  # each row's number in the file, whose header is row 1
    total: int  # rows in the file

    def kept(self, keep: list[bool]) -> "Sheet":
        """The rows for which `keep` is true."""
        columns = [[value for value, one in zip(column, keep, strict=True) if one] for column in self.columns]
        places = [place for place, one in zip(self.places, keep, strict=True) if one]
        return replace(self, columns=columns, places=places)


def read(file: File, folder: Path, seed: int, told: Callable[[float], None]) -> Sheet:
    """All rows in the file's order; of more than 50,000 (fewer where there are more than 50 columns) a random sample by `seed`. `told` hears the fraction that is done.

    Raises what `csv_reading` raises: `EmptyFile`, `NotText`, `BadHeader`, `TooWide`, `BadRow`, `NoRows`.
    """
    found = readable(file, folder / "utf8.csv", told)
    path, dialect = found.path, found.dialect
    most = min(MOST_ROWS, MOST_CELLS // len(dialect.names))
    sampled: list[tuple[int, Cells]] = []
    total, size, chosen = 0, path.stat().st_size, random.Random(seed)
    with path.open("rb") as raw, open(raw.fileno(), encoding="utf-8-sig", newline="", closefd=False) as text:
        rows = csv.reader(text, delimiter=dialect.delimiter, strict=True)
        place, header = 0, True
        try:
            for place, row in enumerate(rows, 1):
                if not row:
                    continue
                if header:
                    header = False
                    continue
                if len(row) != len(dialect.names):
                    raise BadRow(
                        f"Row {place:,} has {many(len(row), 'value')}, but the header names {many(len(dialect.names), 'column')}."
                    )
                total += 1
                if total <= most:
                    sampled.append((place, _cells(row)))
                elif (at := chosen.randrange(total)) < most:
                    sampled[at] = place, _cells(row)
                if total % _TOLD_EACH == 0:
                    told(min(1.0, raw.tell() / size))
        except csv.Error as error:
            raise BadRow(f"Row {place + 1:,} cannot be read: {error}.") from error
    if not sampled:
        raise NoRows(hint="Add the rows, or choose another file.")
    sampled.sort(key=lambda one: one[0])
    return Sheet(
        delimiter=dialect.delimiter,
        encoding=found.encoding.name,
        names=dialect.names,
        columns=[[cells[at] for _, cells in sampled] for at in range(len(dialect.names))],
        places=[place for place, _ in sampled],
        total=total,
    )


def _cells(row: list[str]) -> Cells:
    return [None if (text := value.strip()) in MISSING else text[:LONGEST_CELL] for value in row]
