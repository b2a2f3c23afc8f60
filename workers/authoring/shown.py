"""A result in the terminal, as plain text."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from taskline.outcome import RETURNED
from taskline.results import Chart, Metric, Result, Table, Text

_ROWS: Final = 20  # of a table
_WIDE: Final = 40  # characters of a cell


def shown(result: Result) -> Iterator[str]:
    """The lines of it; what only a page can draw is named."""
    if not result.blocks and result.value is not None:
        yield json.dumps(result.value, indent=2, ensure_ascii=False)
    for block in result.blocks:
        match block:
            case Text(name=name, markdown=markdown):
                yield markdown if name == RETURNED else f"{name}:\n{markdown}"
            case Metric(name=name, value=value, unit=unit):
                yield f"{name}: {value}{f' {unit}' if unit else ''}"
            case Table():
                yield from _table(block)
            case Chart(name=name, kind=kind):
                yield f"{name}: a {kind} chart, drawn on the task's page"


def _table(table: Table) -> Iterator[str]:
    rows = [table.columns, *([_cell(value) for value in row] for row in table.rows[:_ROWS])]
    widths = [max(len(row[at]) for row in rows) for at, _ in enumerate(table.columns)]
    yield f"{table.name}:"
    yield _line(rows[0], widths)
    yield "  ".join("─" * width for width in widths)
    yield from (_line(row, widths) for row in rows[1:])
    if table.total_rows > len(rows) - 1:
        yield f"… and {table.total_rows - len(rows) + 1:,} rows more"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"
