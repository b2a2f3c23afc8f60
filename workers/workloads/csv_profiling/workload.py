"""Profiles a CSV file: what its columns hold, what is missing, how the values are spread and go together."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from taskline import Accept, Context, File, workload
from workers.workloads.csv_profiling.columns import describe_column
from workers.workloads.csv_profiling.database import database
from workers.workloads.csv_profiling.dialect import find_dialect
from workers.workloads.csv_profiling.encoding import Encoding, as_utf8, find_encoding
from workers.workloads.csv_profiling.profile import Profile
from workers.workloads.csv_profiling.relations import correlations, repeated_rows
from workers.workloads.csv_profiling.report import report
from workers.workloads.csv_profiling.sheet import Sheet
from workers.workloads.csv_profiling.showing import show


@workload(title="Profile a CSV file", timeout=timedelta(hours=2), expected=timedelta(seconds=10))
def csv_profile(
    ctx: Context,
    file: Annotated[
        File,
        Accept(".csv", ".tsv", ".txt", "text/csv"),
        Field(title="File", description="A header in the first row; comma, semicolon, tab or bar between the values"),
    ],
) -> str:
    """Types, missing and distinct values, quantiles, histograms and correlations of every column, with a report to keep. Takes files far larger than memory."""
    with ctx.phase("Looking at the file", share=0.05):
        encoding = find_encoding(file.path)
        path = _utf8(ctx, file.path, encoding)
        dialect = find_dialect(path)
    ctx.log(f"{encoding.name}, separated by {dialect.spoken}, {len(dialect.names):,} columns")
    with database(ctx.folder) as connection:
        with ctx.phase("Reading", share=0.35):
            sheet = Sheet(connection, path, dialect)
            sheet.read(lambda fraction: ctx.progress(fraction, "Reading"))
        columns = []
        with ctx.phase("Columns", share=0.45):
            for place, name in enumerate(dialect.names):
                ctx.check_cancelled()
                ctx.step(place, len(dialect.names), f"Column {place + 1:,} of {len(dialect.names):,}: {name[:60]}")
                columns.append(describe_column(sheet, place))
        with ctx.phase("Repeated rows", share=0.05):
            repeated = repeated_rows(sheet)
        with ctx.phase("Correlations", share=0.05):
            related = correlations(sheet, columns)
    profile = Profile(
        file=file.name,
        size=file.size,
        sha256=file.sha256,
        encoding=_spoken(encoding),
        delimiter=dialect.spoken,
        rows=sheet.rows,
        repeated=repeated,
        columns=[one for one, _ in columns],
        correlations=related,
    )
    with ctx.phase("Writing the report"):
        show(ctx, profile)
        ctx.artifact("report.html", report(profile).encode(), "text/html")
        ctx.artifact(
            "profile.json", json.dumps(profile.document(), ensure_ascii=False, indent=1).encode(), "application/json"
        )
    return profile.headline


def _utf8(ctx: Context, path: Path, encoding: Encoding) -> Path:
    if encoding.plain:
        return path
    target = ctx.folder / "utf8.csv"
    as_utf8(path, encoding, target, lambda fraction: ctx.progress(fraction, "Converting to UTF-8"))
    return target


def _spoken(encoding: Encoding) -> str:
    return {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1"}.get(
        encoding.name, encoding.name.upper()
    )
