"""From an uploaded file to a UTF-8 text whose separators are known."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskline import Accept, File
from workers.workloads.csv_reading.dialect import Dialect, find_dialect
from workers.workloads.csv_reading.encoding import Encoding, as_utf8, find_encoding

CSV: Final = Accept(".csv", ".tsv", ".txt", "text/csv")


@dataclass(frozen=True, slots=True)
class Readable:
    """A CSV file at `path`, in UTF-8, with its dialect; `encoding` is what it was in."""

    path: Path
    encoding: Encoding
    dialect: Dialect

    @property
    def said(self) -> str:
        """What was found out, as a line of a log."""
        return f"{self.encoding.spoken}, separated by {self.dialect.spoken}, {len(self.dialect.names):,} columns"


def readable(file: File, copy: Path, told: Callable[[float], None]) -> Readable:
    """Look at a file; where it is not plain UTF-8 it is converted into `copy`, and `told` hears the fraction that is done.

    Raises `EmptyFile`, `NotText`, `BadHeader`, `TooWide`, or `BadRow` where the bytes stop to be text.
    """
    encoding = find_encoding(file.path)
    path = file.path
    if not encoding.plain:
        as_utf8(file.path, encoding, copy, told)
        path = copy
    return Readable(path, encoding, find_dialect(path))
