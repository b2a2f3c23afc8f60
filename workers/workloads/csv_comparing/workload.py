"""Compares two CSV files row by row and cell by cell."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from taskline import Context, File, Rejected, workload
from workers.workloads.csv_comparing.cells import find_cells
from workers.workloads.csv_comparing.columns import Columns, Pair, listed, pair_columns
from workers.workloads.csv_comparing.exporting import export_cells, export_rows
from workers.workloads.csv_comparing.keys import find_key
from workers.workloads.csv_comparing.matching import Counts, match_rows
from workers.workloads.csv_comparing.showing import show
from workers.workloads.csv_reading.database import database
from workers.workloads.csv_reading.opening import CSV, readable
from workers.workloads.csv_reading.sheet import Sheet
from workers.workloads.wording import as_markdown, many

if TYPE_CHECKING:
    import duckdb

_MEMORY: Final = "400MB"  # of the database; the process takes about 120 more


@workload(
    title="Compare two CSV files",
    timeout=timedelta(hours=2),
    expected=timedelta(seconds=10),
    memory_mib=1024,
    disk_mib=65_536,
)
def compare_csv(
    ctx: Context,
    before: Annotated[File, CSV, Field(title="File before", description="A header in the first row")],
    after: Annotated[
        File, CSV, Field(title="File after", description="Columns are matched by name, wherever they stand")
    ],
    key: Annotated[
        str,
        Field(
            title="Key columns",
            max_length=200,
            description="What tells rows apart, such as: id. Several with commas. Empty: found by itself",
        ),
    ] = "",
    ignore: Annotated[
        str, Field(title="Leave out", max_length=200, description="Columns that are not compared, with commas")
    ] = "",
    by_value: Annotated[
        bool,
        Field(
            title="Compare by value",
            description="A number is the same as 1.50 and as 1.5, a date as 31.12.2026 and as 2026-12-31",
        ),
    ] = False,
) -> str:
    """Which rows were added, removed and changed between two versions of a table, cell by cell, with the differences to download. Takes files far larger than memory."""
    with database(ctx.folder, _MEMORY) as connection:
        one = _read(ctx, connection, before, "before")
        other = _read(ctx, connection, after, "after")
        with ctx.phase("Columns", share=0.1):
            columns = pair_columns(one, other, ignored=listed(ignore), by_value=by_value)
            keys = _key(ctx, one, other, columns, listed(key))
        with ctx.phase("Matching rows", share=0.25):
            counts = match_rows(one, other, columns, keys, ctx.progress)
        with ctx.phase("Changed cells", share=0.15):
            cells = find_cells(one, other, columns.compared, keys, ctx.progress)
        with ctx.phase("Writing the files"):
            show(ctx, one, other, columns, keys, counts, cells)
            _offer(ctx, one, other, columns, keys, counts)
    return _headline(columns, counts, cells)


def _read(ctx: Context, connection: "duckdb.DuckDBPyConnection", file: File, said: str) -> Sheet:
    with ctx.phase(f"Reading the file {said}", share=0.2), _naming(said):
        found = readable(file, ctx.folder / f"{said}.csv", lambda fraction: ctx.progress(fraction * 0.2))
        ctx.log(f"The file {said}: {found.said}")
        # "NA" and nothing are different texts here; only nothing is no value.
        sheet = Sheet(connection, found.path, found.dialect, name=f"{said}_", missing=("",), ordered=True)
        sheet.read(ctx.progress)
    return sheet


@contextmanager
def _naming(said: str) -> Iterator[None]:
    """Say of which file a refusal speaks."""
    try:
        yield
    except Rejected as error:
        raise type(error)(f"The file {said}: {error.message}", hint=error.hint) from error


def _key(ctx: Context, before: Sheet, after: Sheet, columns: Columns, asked: list[str]) -> tuple[Pair, ...]:
    keys = columns.named(asked)
    if not keys and (found := find_key(before, after, columns)) is not None:
        keys = (found,)
    names = ", ".join(f"“{pair.name}”" for pair in keys)
    if not keys:
        said = "Whole rows are compared: no column tells rows apart in both files. Name the key columns to see which cells changed."
    elif asked:
        said = f"Rows belong together by {names}."
    else:
        said = f"Rows belong together by {names}, whose values are all different in both files."
    ctx.log(said)
    ctx.text("Matching", as_markdown(said))
    return keys


def _offer(ctx: Context, before: Sheet, after: Sheet, columns: Columns, key: tuple[Pair, ...], counts: Counts) -> None:
    if counts.changed:
        path = ctx.folder / "changed-cells.csv"
        export_cells(before, columns.compared, key, path, ctx.progress)
        ctx.artifact(path.name, path, "text/csv")
    if counts.added:
        path = ctx.folder / "added-rows.csv"
        export_rows(after, "after", path, ctx.progress)
        ctx.artifact(path.name, path, "text/csv")
    if counts.removed:
        path = ctx.folder / "removed-rows.csv"
        export_rows(before, "before", path, ctx.progress)
        ctx.artifact(path.name, path, "text/csv")


def _headline(columns: Columns, counts: Counts, cells: dict[str, int]) -> str:
    parts = [f"{count:,} {word}" for count, word in ((counts.added, "added"), (counts.removed, "removed")) if count]
    if counts.changed:
        parts.append(f"{counts.changed:,} changed in {many(len(cells), 'column')}")
    apart = [
        f"{many(len(names), 'column')} {word}"
        for names, word in ((columns.added, "added"), (columns.removed, "removed"))
        if names
    ]
    if not parts:
        rows = f"All {counts.before:,} rows are the same" if counts.before > 1 else "The one row is the same"
        return ", ".join([rows, *apart])
    return ", ".join([f"Rows: {', '.join(parts)}, {counts.same:,} the same", *apart])
