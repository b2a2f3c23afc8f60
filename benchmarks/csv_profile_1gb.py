"""Profiles a generated CSV of 1 GB: its peak of memory, its time beside pandas and plain duckdb, and whether the figures agree.

`python -m benchmarks.csv_profile_1gb [--megabytes 1000] [--folder DIR]`, some minutes on two cores. Each program runs in a process of its own.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

BYTES_A_ROW: Final = 92.5
PROFILE: Final = """
import json, sys
from pathlib import Path
from uuid import uuid4
from taskline import Context, File
from workers.workloads import csv_profile

class Host:
    def progress(self, fraction, message): pass
    def log(self, level, text): print(text, file=sys.stderr)
    def folder(self): return folder
    def cancelled(self): return False
    def remaining(self): return 1e6

path, folder = Path(sys.argv[1]), Path(sys.argv[2]) / "work"
folder.mkdir()
context = Context(Host(), task_id=uuid4(), attempt=1, secrets={})
csv_profile(context, File(id="f", name=path.name, size=path.stat().st_size, sha256="0" * 64, path=path))
profile = json.loads((folder / ".offered" / "profile.json").read_text())
print(json.dumps(profile))
"""
# As much of the same as each has at hand: `describe`, missing and distinct values, the most frequent ones, correlations.
PANDAS: Final = """
import json, sys
import pandas as pd

frame = pd.read_csv(sys.argv[1], parse_dates=["day"])
numbers = ["id", "price", "weight"]
described = frame[numbers].describe(percentiles=[0.05, 0.25, 0.5, 0.75, 0.95])
print(json.dumps({
    "rows": len(frame),
    "missing": {name: int(frame[name].isna().sum()) for name in frame},
    "distinct": {name: int(frame[name].nunique()) for name in frame},
    "described": {name: described[name].to_dict() for name in numbers},
    "skewness": {name: float(frame[name].skew()) for name in numbers},
    "first": str(frame["day"].min().date()), "last": str(frame["day"].max().date()),
    "frequent": {name: frame[name].value_counts().head(10).to_dict() for name in ("city", "state")},
    "correlations": frame[numbers].corr().to_numpy().tolist(),
}))
"""
DUCKDB: Final = """
import sys
import duckdb

duckdb.sql("SET enable_progress_bar = false")
duckdb.sql(f"SUMMARIZE SELECT * FROM read_csv('{sys.argv[1]}')").fetchall()
print("{}")
"""


def main() -> None:
    """Generate, run the three, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        path = Path(folder) / "large.csv"
        generate(path, int(chosen.megabytes * 1e6 / BYTES_A_ROW))
        print(f"{path.stat().st_size / 1e6:,.0f} MB on {os.cpu_count()} processors")
        profile, known = measured("csv_profile", PROFILE, path, folder), measured("pandas", PANDAS, path, folder)
        measured("duckdb SUMMARIZE", DUCKDB, path, folder)
        print("The figures agree." if not (wrong := differences(profile, known)) else "\n".join(wrong))
        sys.exit(bool(wrong))


def generate(path: Path, rows: int) -> None:
    """Rows with a number for each, skewed prices with a tenth missing, days with gaps, two categories, and a comment that is never the same."""
    import duckdb

    duckdb.sql("SELECT setseed(0.5)")
    duckdb.sql(
        f"""COPY (SELECT range AS id, CASE WHEN random() < 0.9 THEN round(-ln(random() + 1e-9) * 40, 2) END AS price,
          round(80 + 12 * (random() + random() + random() - 1.5), 3) AS weight,
          CASE WHEN random() < 0.97 THEN DATE '2015-01-01' + CAST(floor(random() * 4000) AS INTEGER) END AS day,
          ['Ghent', 'Łódź', 'Paris', 'Oslo', 'Porto', 'Graz', 'Bergen'][1 + CAST(floor(pow(random(), 2) * 7) AS INTEGER)] AS city,
          CASE WHEN random() < 0.8 THEN ['new', 'paid', 'sent', 'back'][1 + CAST(floor(random() * 4) AS INTEGER)] END AS state,
          'a comment, as people write them, number ' || range AS comment FROM range({rows}))
        TO '{path}' (HEADER)"""
    )


def measured(name: str, program: str, path: Path, folder: str) -> dict[str, Any]:
    """What a program prints; its time and its peak of resident memory are told."""
    began = time.perf_counter()
    output = Path(folder) / "said.json"
    with output.open("wb") as said:
        process = subprocess.Popen([sys.executable, "-c", program, str(path), folder], stdout=said)
        _, status, used = os.wait4(process.pid, 0)
    took, worked = time.perf_counter() - began, used.ru_utime + used.ru_stime
    print(f"{name}: {took:,.0f} s ({worked:,.0f} s of CPU), at most {used.ru_maxrss / 1024:,.0f} MiB", flush=True)
    if status:
        sys.exit(f"{name} failed")
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def differences(profile: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Where the profile says something else than pandas."""
    wrong = [] if profile["rows"] == known["rows"] else [f"rows: {profile['rows']}, not {known['rows']}"]

    def compare(what: str, ours: Any, theirs: Any) -> None:
        if ours != theirs and not (isinstance(ours, float) and math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)):
            wrong.append(f"{what}: {ours}, not {theirs}")

    for column in profile["columns"]:
        name = column["name"]
        compare(f"missing in {name}", column["missing"], known["missing"][name])
        compare(f"distinct in {name}", column["distinct"], known["distinct"][name])
        if described := known["described"].get(name):
            numbers = column["numbers"]
            ours = {
                "mean": numbers["mean"],
                "std": numbers["sd"],
                "min": float(numbers["low"]),
                "max": float(numbers["high"]),
            }
            ours |= {f"{float(part) * 100:g}%": value for part, value in numbers["quantiles"].items()}
            for figure, value in ours.items():
                compare(f"{figure} of {name}", value, described[figure])
            compare(f"skewness of {name}", numbers["skewness"], known["skewness"][name])
        if frequent := known["frequent"].get(name):
            compare(f"frequent in {name}", {one["value"]: one["count"] for one in column["frequent"]}, frequent)
        if name == "day":
            compare("first and last day", [column["first"], column["last"]], [known["first"], known["last"]])
    for place, row in enumerate(profile["correlations"]["rows"]):
        for other, value in enumerate(row):
            compare(f"correlation {place} {other}", value, round(known["correlations"][place][other], 6))
    return wrong


if __name__ == "__main__":
    main()
