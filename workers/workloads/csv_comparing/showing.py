"""Shows a comparison on the task's page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from taskline import Context
from workers.workloads.csv_comparing.cells import numbered
from workers.workloads.csv_comparing.columns import Columns, Pair, beside
from workers.workloads.csv_comparing.matching import APART, Counts
from workers.workloads.csv_reading.sheet import Sheet, column

_MOST_SHOWN: Final = 200  # rows of a table on the page
_MOST_WIDE: Final = 49  # columns, behind the row's number


def show(
    ctx: Context,
    before: Sheet,
    after: Sheet,
    columns: Columns,
    key: Sequence[Pair],
    counts: Counts,
    cells: Mapping[str, int],
) -> None:
    """Report the comparison's blocks, what changed first."""
    for name, value in (
        ("Rows before", counts.before),
        ("Rows after", counts.after),
        ("Added", counts.added),
        ("Removed", counts.removed),
        ("Changed", counts.changed),
        ("The same", counts.same),
    ):
        ctx.metric(name, value)
    if cells:
        many = sum(cells.values())
        ctx.table("Changed cells", _counted(_cells(before, columns.compared, key), many))
        ordered = sorted(cells.items(), key=lambda one: -one[1])
        ctx.chart(
            "Changed cells by column",
            "bar",
            x=[name for name, _ in ordered],
            y=[count for _, count in ordered],
            y_label="cells",
        )
    if counts.added:
        ctx.table("Added rows", _counted(_rows(after, "after"), counts.added))
    if counts.removed:
        ctx.table("Removed rows", _counted(_rows(before, "before"), counts.removed))
    if counts.repeated_keys:
        ctx.table("Repeated keys", _counted(_repeated(before, key), counts.repeated_keys))
    ctx.table("Columns", _columns(before, after, columns, key, cells))


def _counted(rows: list[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    """The rows that are shown, followed by as many empty ones as a table counts but does not show."""
    yield from rows
    for _ in range(total - len(rows)):
        yield {}


def _cells(sheet: Sheet, compared: Sequence[Pair], key: Sequence[Pair]) -> list[dict[str, Any]]:
    keys = "".join(f", k{at}" for at in range(len(key)))
    names = beside([pair.name for pair in key], ("Column", "Before", "After", "Row"))
    found = sheet.connection.execute(
        f"SELECT before_line + 1, place, before_text, after_text{keys} FROM cells ORDER BY before_line, place LIMIT {_MOST_SHOWN}"
    ).fetchall()
    return [
        {
            **dict(zip(names, values, strict=True)),
            "Column": compared[place].name,
            "Before": was,
            "After": became,
            "Row": line,
        }
        for line, place, was, became, *values in found
    ]


def _rows(sheet: Sheet, side: Literal["before", "after"]) -> list[dict[str, Any]]:
    places = range(min(_MOST_WIDE, len(sheet.dialect.names)))
    line, other = ("before_line", "after_line") if side == "before" else ("after_line", "before_line")
    found = sheet.connection.execute(
        f"""SELECT * FROM ({numbered(sheet, [column(place) for place in places], places, line)})
        SEMI JOIN (SELECT {line} FROM pairs WHERE {other} IS NULL ORDER BY {line} LIMIT {_MOST_SHOWN}) USING ({line}) ORDER BY {line}"""
    ).fetchall()
    names = beside(sheet.dialect.names[: len(places)], ("Row",))
    return [{"Row": number + 1, **dict(zip(names, values, strict=True))} for number, *values in found]


def _repeated(sheet: Sheet, key: Sequence[Pair]) -> list[dict[str, Any]]:
    found = sheet.connection.execute(
        f"""SELECT string_split(k, {APART}), coalesce(b.n, 0), coalesce(a.n, 0)
        FROM (SELECT k FROM repeated ORDER BY greatest(before_count, after_count) DESC, k LIMIT {_MOST_SHOWN}) r
        LEFT JOIN (SELECT k, count(*) AS n FROM before_rows SEMI JOIN repeated USING (k) GROUP BY k) b USING (k)
        LEFT JOIN (SELECT k, count(*) AS n FROM after_rows SEMI JOIN repeated USING (k) GROUP BY k) a USING (k)
        ORDER BY greatest(coalesce(b.n, 0), coalesce(a.n, 0)) DESC, k"""
    ).fetchall()
    names = beside([pair.name for pair in key], ("Rows before", "Rows after"))
    return [
        {**dict(zip(names, values, strict=True)), "Rows before": was, "Rows after": became}
        for values, was, became in found
    ]


def _columns(
    before: Sheet, after: Sheet, columns: Columns, key: Sequence[Pair], cells: Mapping[str, int]
) -> list[dict[str, Any]]:
    apart = {
        **dict.fromkeys(columns.removed, "only in the file before"),
        **dict.fromkeys(columns.added, "only in the file after"),
        **{pair.name: "not compared" for pair in columns.shared if pair not in columns.compared},
        **{pair.name: "key" for pair in key},
    }
    known = {pair.name: pair for pair in columns.shared}
    rows = []
    for name in (*before.dialect.names, *columns.added):
        pair = known.get(name)
        kinds = (pair.kind_before.name, pair.kind_after.name) if pair else ("–", "–")
        rows.append(
            {
                "Column": name,
                "Place before": before.dialect.names.index(name) + 1 if name in before.dialect.names else None,
                "Place after": after.dialect.names.index(name) + 1 if name in after.dialect.names else None,
                "Type": kinds[0] if kinds[0] == kinds[1] else f"{kinds[0]} → {kinds[1]}",
                "Changed cells": cells.get(name, 0) if pair in columns.compared else None,
                "Note": apart.get(name, ""),
            }
        )
    return rows
