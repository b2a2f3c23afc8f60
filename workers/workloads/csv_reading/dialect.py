"""Finds out what separates the values of a CSV file, and reads its header."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.workloads.csv_reading.errors import BadHeader, EmptyFile, TooWide

DELIMITERS: Final = ",;\t|"
MOST_COLUMNS: Final = 1_000
_SAMPLE: Final = 262_144  # characters
_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """What separates the values, the columns' names, and how many empty lines stand before them."""

    delimiter: str
    names: tuple[str, ...]
    empty_lines: int

    @property
    def spoken(self) -> str:
        """The separator in words."""
        return {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}[self.delimiter]


def find_dialect(path: Path) -> Dialect:
    """Look at the first rows of a UTF-8 file. A file without any separator has one column.

    Raises `EmptyFile`, `BadHeader` or `TooWide`.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        sample = file.read(_SAMPLE)
        whole = not file.read(1)
    if not sample.strip():
        raise EmptyFile
    rows = {delimiter: _rows(sample, delimiter, whole=whole) for delimiter in DELIMITERS}
    # The one by which most rows have as many values as the header; among those, the one that makes the most columns.
    delimiter = max(DELIMITERS, key=lambda one: _fit(rows[one]))
    before = sample[: len(sample) - len(sample.lstrip("\r\n"))]
    return Dialect(
        delimiter, _names(rows[delimiter][0] if rows[delimiter] else [sample.strip()]), len(before.splitlines())
    )


def _rows(sample: str, delimiter: str, *, whole: bool) -> list[list[str]]:
    found = []
    try:
        for row in csv.reader(sample.splitlines(keepends=True), delimiter=delimiter):
            if row:
                found.append(row)
            if len(found) > _ROWS:
                break
    except csv.Error:
        pass  # a value longer than the module takes; the reading proper will say so
    # The last row of a part of a file may be cut in two.
    return found if whole or len(found) < 2 else found[:-1]


def _fit(rows: list[list[str]]) -> tuple[bool, float, int]:
    if not rows or len(rows[0]) < 2:
        return False, 0.0, 0
    widths = Counter(len(row) for row in rows)
    return True, round(widths[len(rows[0])] / len(rows), 1), len(rows[0])


def _names(header: list[str]) -> tuple[str, ...]:
    if len(header) > MOST_COLUMNS:
        raise TooWide(f"Row 1 names {len(header):,} columns; {MOST_COLUMNS:,} are taken at most.")
    if not any(name.strip() for name in header):
        raise BadHeader("Row 1 is empty: it should name the columns.")
    # What is above an unnamed column is often a row number that somebody's export added.
    names = tuple(name.strip() or f"column {place}" for place, name in enumerate(header, 1))
    repeated = [name for name, many in Counter(names).items() if many > 1]
    if repeated:
        listed = ", ".join(f"“{name}”" for name in repeated[:5])
        raise BadHeader(
            f"Row 1 names {len(repeated)} column{'s' * (len(repeated) > 1)} more than once: {listed}.",
            hint="Give every column a name of its own.",
        )
    return names
