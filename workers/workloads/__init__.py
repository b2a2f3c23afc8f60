"""The built-in workloads, written with `taskline` as anybody would."""

from workers.workloads.countdown import countdown

__all__ = ["countdown"]
