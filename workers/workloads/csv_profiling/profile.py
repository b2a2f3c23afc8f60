"""The whole profile of a file, as a value."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workers.workloads.csv_profiling.findings import of_column, of_pairs
from workers.workloads.csv_profiling.statistics import Column, Correlations, MissingPatterns, percent
from workers.workloads.wording import many


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of a file. `size` in bytes; `delimiter` and `encoding` as people say them."""

    file: str
    size: int
    sha256: str
    encoding: str
    delimiter: str
    rows: int
    repeated: int
    columns: Sequence[Column]
    patterns: MissingPatterns | None
    correlations: Correlations | None

    @property
    def missing_share(self) -> float:
        """The share of all values that are missing, 0 to 1."""
        return sum(one.missing for one in self.columns) / (self.rows * len(self.columns))

    @property
    def headline(self) -> str:
        """One sentence: "1,204,113 rows, 12 columns; price is missing in 3.1 %"."""
        size = f"{many(self.rows, 'row')}, {many(len(self.columns), 'column')}"
        worst = max(self.columns, key=lambda one: one.missing)
        name = worst.name if len(worst.name) <= 60 else f"{worst.name[:59]}…"
        if worst.missing == worst.rows:
            return f"{size}; {name} is empty"
        return (
            f"{size}; {name} is missing in {percent(worst.missing_share)}"
            if worst.missing
            else f"{size}; no value is missing"
        )

    @property
    def findings(self) -> list[tuple[str, str]]:
        """What stands out: (which columns, what)."""
        found = [(one.name, said) for one in self.columns for said in of_column(one)]
        found += of_pairs(self.correlations)
        if self.repeated:
            found.append(
                (
                    "all columns",
                    f"{many(self.repeated, 'row')} {'repeats' if self.repeated == 1 else 'repeat'} an earlier one",
                )
            )
        return found

    def document(self) -> dict[str, Any]:
        """The profile as JSON values: what `profile.json` holds."""
        columns = []
        for one in self.columns:
            said = asdict(one)
            del said["family"]
            said["missing"] = one.missing
            said["frequent"] = [{"value": value, "count": count} for value, count in one.frequent]
            columns.append({key: value for key, value in said.items() if value is not None})
        return {
            "format": "taskline csv profile 1",
            "file": {
                "name": self.file,
                "size": self.size,
                "sha256": self.sha256,
                "encoding": self.encoding,
                "delimiter": self.delimiter,
            },
            "rows": self.rows,
            "repeated_rows": self.repeated,
            "columns": columns,
            "missing": None
            if self.patterns is None
            else {
                "complete_rows": self.patterns.complete,
                "different_patterns": self.patterns.different,
                "patterns": [{"columns": names, "rows": rows} for names, rows in self.patterns.frequent],
            },
            "findings": [{"about": about, "finding": said} for about, said in self.findings],
            "correlations": None if self.correlations is None else asdict(self.correlations),
        }
