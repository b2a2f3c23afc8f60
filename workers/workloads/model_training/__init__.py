"""The workload `train_model`: reading, cross-validation, comparison and downloads, one job a file."""

from workers.workloads.model_training.workload import train_model

__all__ = ["train_model"]
