"""The built-in workloads, written with `taskline` as anybody would."""

from workers.workloads.countdown import countdown
from workers.workloads.csv_profiling import csv_profile

__all__ = ["countdown", "csv_profile"]
