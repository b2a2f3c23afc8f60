"""The time and memory that `train_model` takes of a file of the largest size that it learns from whole: `python benchmarks/train_model_large.py [ROWS COLUMNS TASK]`."""

import csv
import random
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from taskline import Context, File
from workers.workloads.model_training.workload import ready, train_model


class Host:
    """Prints each new phase with the seconds of processor time so far, which a busy machine does not stretch, and the memory now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = ""

    def progress(self, fraction: float | None, message: str) -> None:
        if message != self._last:
            self._last = message
            print(f"{time.process_time():7.1f} s {memory('VmRSS'):6,.0f} MiB {fraction:6.1%} {message}")

    def log(self, level: str, text: str) -> None:
        pass

    def folder(self) -> Path:
        return self._folder

    def cancelled(self) -> bool:
        return False

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def remaining(self) -> float:
        return 3600.0


def memory(kind: str) -> float:
    """MiB of this process."""
    return int(Path("/proc/self/status").read_text().partition(f"{kind}:")[2].split()[0]) / 1024


def write(path: Path, rows: int, columns: int, task: str) -> None:
    """Two columns of numbers, some of them missing, for each column of 40 different texts; the target follows from three of them."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"column {at}" for at in range(columns - 1)), "target"])
        for _ in range(rows):
            numbers = [chance.gauss(0, 1) for _ in range(columns - 1)]
            wanted = numbers[0] + numbers[1] * numbers[3] + chance.gauss(0, 0.5)
            row = [
                f"text {int(abs(value) * 13) % 40}" if at % 3 == 2 else "" if chance.random() < 0.05 else f"{value:.5f}"
                for at, value in enumerate(numbers)
            ]
            writer.writerow([*row, f"{wanted:.5f}" if task == "regression" else f"class {int(wanted > 0)}"])


def main() -> None:
    rows, columns, task = (*sys.argv[1:], *("50000", "50", "classification")[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        write(path, int(rows), int(columns), task)
        ready()
        context = Context(Host(Path(folder)), task_id=uuid4(), attempt=1, secrets={})
        sent = File(id="f", name=path.name, size=path.stat().st_size, sha256="0" * 64, path=path)
        print(train_model(context, sent, "target"))
        print(
            f"{time.process_time():.0f} s of processor time; most memory: {memory('VmHWM'):,.0f} MiB of {train_model.memory_mib:,}"
        )


if __name__ == "__main__":
    main()
