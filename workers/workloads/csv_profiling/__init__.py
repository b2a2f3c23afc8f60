"""The workload `csv_profile`: reading, statistics and report, one job a file."""

from workers.workloads.csv_profiling.workload import csv_profile

__all__ = ["csv_profile"]
