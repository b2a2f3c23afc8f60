"""What measurements have in common: how figures are summed up, what they were taken on, and the file that they go into."""

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults.pace import SHORT, USUAL, Pace
from tests.servers import STARTED

MEASURED: Final = Path("docs/measured")
# What is published was taken with the settings that everybody has by default.
PACE: Final = SHORT if os.environ.get("FAULTS_PACE") == "short" else USUAL


class Spread(NamedTuple):
    """Seconds: by nearest rank, so that each was really measured."""

    n: int
    p50: float
    p95: float
    p99: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    """Sum up one value or more."""
    found = sorted(values)
    ranks = (found[math.ceil(share * len(found)) - 1] for share in (0.5, 0.95, 0.99, 1.0))
    return Spread(len(found), *(round(value, 4) for value in ranks))


def conditions(pace: Pace = PACE) -> dict[str, Any]:
    """What the figures were taken on and with."""
    servers = {name: version for name, version in sorted(STARTED.items()) if not name.startswith("Taskline")}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "servers": servers,
        "pace": {name: getattr(pace, name) for name in ("lease", "heartbeat", "sweep", "poll")},
    }


def write(path: Path, report: dict[str, Any]) -> None:
    """Keep a report, one raw figure a line, so that two of them can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, value in report.items():
        if isinstance(value, list) and value:
            inner = ",\n".join(f"  {json.dumps(one, ensure_ascii=False)}" for one in value)
            lines.append(f"{json.dumps(name)}: [\n{inner}\n]")
        else:
            lines.append(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"written to {path}")


def read(name: str, folder: Path = MEASURED) -> dict[str, Any] | None:
    """The report of a measurement, None where it was never taken."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def arguments(description: str, name: str, **counts: tuple[int, str]) -> argparse.Namespace:
    """The command line of a measurement: a few counts (usual value, meaning) and `--out`."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.faults.measure_{name}", description=description)
    for count, (usual, meaning) in counts.items():
        parser.add_argument(f"--{count}", type=int, default=usual, help=f"{meaning} (usually {usual})")
    parser.add_argument("--out", type=Path, default=MEASURED / f"{name}.json", help="the file for the raw figures")
    return parser.parse_args(sys.argv[1:])
