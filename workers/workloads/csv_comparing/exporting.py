"""Writes the differences as CSV files, so that a spreadsheet takes no value of them for a formula."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from workers.workloads.csv_comparing.cells import numbered
from workers.workloads.csv_comparing.columns import Pair, beside
from workers.workloads.csv_reading.database import execute_watched, literal
from workers.workloads.csv_reading.sheet import Sheet, column
from workers.workloads.formulas import BEGINNINGS, defused

# A class of signs: a list of texts to compare with takes the database several times the memory on wide tables.
_FORMULA: Final = f"^[{re.escape(''.join(BEGINNINGS))}]"
_NUMBER: Final = r"^[+\-][0-9.,]+([eE][+\-]?[0-9]+)? ?%?$"


def export_rows(sheet: Sheet, side: Literal["before", "after"], target: Path, told: Callable[[float], None]) -> None:
    """The rows of `sheet` that the other file does not have, with all their columns, in the file's order."""
    places = range(len(sheet.dialect.names))
    named = ", ".join(f"{safe(column(place))} AS {quoted(name)}" for place, name in enumerate(sheet.dialect.names))
    line, other = ("before_line", "after_line") if side == "before" else ("after_line", "before_line")
    source = numbered(sheet, [column(place) for place in places], places, line)
    query = f"SELECT {named} FROM ({source}) SEMI JOIN (SELECT {line} FROM pairs WHERE {other} IS NULL) USING ({line}) ORDER BY {line}"
    _copy(sheet, query, target, told)


def export_cells(
    sheet: Sheet, compared: Sequence[Pair], key: Sequence[Pair], target: Path, told: Callable[[float], None]
) -> None:
    """Every changed cell, one a row: key, rows in both files as a spreadsheet counts them, column, before, after."""
    names = ", ".join(f"({place}, {literal(pair.name)})" for place, pair in enumerate(compared))
    named = beside([pair.name for pair in key], ("row before", "row after", "column", "before", "after"))
    keys = "".join(f"{safe(f'k{at}')} AS {quoted(name)}, " for at, name in enumerate(named))
    query = f"""SELECT {keys}before_line + 1 AS "row before", after_line + 1 AS "row after", {safe("name")} AS "column",
        {safe("before_text")} AS "before", {safe("after_text")} AS "after"
        FROM cells JOIN (VALUES {names}) AS n(place, name) USING (place) ORDER BY before_line, place"""
    _copy(sheet, query, target, told)


def safe(text: str) -> str:
    """SQL of the text with an apostrophe before it where a spreadsheet would take it for a formula; numbers stay as they are."""
    return f"CASE WHEN regexp_matches({text}, {literal(_FORMULA)}) AND NOT regexp_matches({text}, '{_NUMBER}') THEN '''' || {text} ELSE {text} END"


def quoted(name: str) -> str:
    """A name as an SQL identifier, and as safe as the values are."""
    return '"' + defused(name).replace('"', '""') + '"'


def _copy(sheet: Sheet, query: str, target: Path, told: Callable[[float], None]) -> None:
    execute_watched(sheet.connection, f"COPY ({query}) TO {literal(str(target))} (FORMAT csv, HEADER true)", told)
