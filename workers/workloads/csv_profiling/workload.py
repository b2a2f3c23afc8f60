"""Profiles a CSV file: what its columns hold, what is missing, how the values are spread and go together."""

import json
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from taskline import Context, File, workload
from workers.workloads.csv_profiling.columns import describe_column
from workers.workloads.csv_profiling.missing import missing_patterns
from workers.workloads.csv_profiling.profile import Profile
from workers.workloads.csv_profiling.relations import correlations, repeated_rows
from workers.workloads.csv_profiling.report import report
from workers.workloads.csv_profiling.showing import show
from workers.workloads.csv_reading.database import MEMORY, database
from workers.workloads.csv_reading.opening import CSV, readable
from workers.workloads.csv_reading.sheet import Sheet

_LARGE: Final = 300_000_000  # bytes: a file from which on more memory saves much writing to disk
_MEMORY_OF_LARGE: Final = "480MB"  # of the database


@workload(
    title="Profile a CSV file",
    timeout=timedelta(hours=2),
    expected=timedelta(seconds=10),
    memory_mib=1024,
    disk_mib=65_536,
)
def csv_profile(
    ctx: Context,
    file: Annotated[
        File,
        CSV,
        Field(title="File", description="A header in the first row; comma, semicolon, tab or bar between the values"),
    ],
) -> str:
    """What every column holds, what is missing and what stands out: quantiles, outliers, gaps between dates, categories, correlations, with a report to keep. Takes files far larger than memory."""
    with ctx.phase("Looking at the file", share=0.05):
        found = readable(file, ctx.folder / "utf8.csv", lambda fraction: ctx.progress(fraction, "Converting to UTF-8"))
    ctx.log(found.said)
    dialect = found.dialect
    with database(ctx.folder, _MEMORY_OF_LARGE if file.size > _LARGE else MEMORY) as connection:
        with ctx.phase("Reading", share=0.35):
            sheet = Sheet(connection, found.path, dialect)
            sheet.read(lambda fraction: ctx.progress(fraction, "Reading"))
        columns = []
        with ctx.phase("Columns", share=0.45):
            for place, name in enumerate(dialect.names):
                ctx.check_cancelled()
                ctx.step(place, len(dialect.names), f"Column {place + 1:,} of {len(dialect.names):,}: {name[:60]}")
                columns.append(describe_column(sheet, place))
        with ctx.phase("Missing values", share=0.02):
            patterns = missing_patterns(sheet, [one for one, _ in columns])
        with ctx.phase("Repeated rows", share=0.05):
            repeated = repeated_rows(sheet)
        with ctx.phase("Correlations", share=0.05):
            related = correlations(sheet, columns)
    profile = Profile(
        file=file.name,
        size=file.size,
        sha256=file.sha256,
        encoding=found.encoding.spoken,
        delimiter=dialect.spoken,
        rows=sheet.rows,
        repeated=repeated,
        columns=[one for one, _ in columns],
        patterns=patterns,
        correlations=related,
    )
    with ctx.phase("Writing the report"):
        show(ctx, profile)
        ctx.artifact("report.html", report(profile).encode(), "text/html")
        ctx.artifact(
            "profile.json", json.dumps(profile.document(), ensure_ascii=False, indent=1).encode(), "application/json"
        )
    return profile.headline
