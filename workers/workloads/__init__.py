"""The built-in workloads, written with `taskline` as anybody would."""

from workers.workloads.countdown import countdown
from workers.workloads.csv_comparing import compare_csv
from workers.workloads.csv_profiling import csv_profile
from workers.workloads.model_training import train_model
from workers.workloads.thumbnails import make_thumbnails

__all__ = ["compare_csv", "countdown", "csv_profile", "make_thumbnails", "train_model"]
