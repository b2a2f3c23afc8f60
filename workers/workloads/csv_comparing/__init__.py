"""The workload `compare_csv`: which rows two files share, which they do not, and what changed in between."""

from workers.workloads.csv_comparing.workload import compare_csv

__all__ = ["compare_csv"]
