"""How long each recovery took, beside the bound that is promised: kept for the docs, and shown at the end of a run."""

import json
import math
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.faults.metronome import METRONOME
from tests.faults.pace import PACE, USUAL

RECORDED: Final[list[tuple[int, str, float, float]]] = []  # row, backend, seconds, bound


def record(row: int, backend: str, seconds: float, bound: float) -> None:
    """Remember that row `row` took `seconds` to recover. Raises `AssertionError` where that is more than `bound`, which comes from the settings, even where it is
    stretched by how much slower than at its best the machine was meanwhile.
    """
    RECORDED.append((row, backend, seconds, bound))
    if path := os.environ.get("FAULTS_REPORT"):
        pace = "default" if PACE == USUAL else "short"
        line = {
            "at": time.time(),
            "row": row,
            "backend": backend,
            "pace": pace,
            "seconds": round(seconds, 4),
            "bound": round(bound, 4),
        }
        with Path(path).open("a") as report:
            report.write(json.dumps(line) + "\n")
    slower = METRONOME.slower(seconds)
    assert seconds <= bound * slower, (
        f"row {row} on {backend} took {seconds:.2f} s to recover; {bound:.2f} s are promised, on a machine that was {slower:.1f} times slower than at its best"
    )


def table() -> list[str]:
    """Lines: row, backend, number of recoveries, p50, p95, slowest, bound; seconds."""
    groups: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
    for row, backend, seconds, bound in RECORDED:
        groups[row, backend].append((seconds, bound))
    if not groups:
        return []
    lines = [f"{'row':>3}  {'backend':<10}{'n':>4}{'p50':>9}{'p95':>9}{'max':>9}{'bound':>9}  seconds"]
    for (row, backend), found in sorted(groups.items()):
        took = sorted(seconds for seconds, _ in found)
        figures = "".join(
            f"{figure:9.2f}" for figure in (_at(took, 0.5), _at(took, 0.95), took[-1], max(bound for _, bound in found))
        )
        lines.append(f"{row:>3}  {backend:<10}{len(took):>4}{figures}")
    return lines


def _at(values: list[float], share: float) -> float:
    """The nearest rank."""
    return values[math.ceil(share * len(values)) - 1]
