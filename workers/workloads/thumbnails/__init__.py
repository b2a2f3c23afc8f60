"""The workload `make_thumbnails`: a zip archive of pictures, made small."""

from workers.workloads.thumbnails.workload import make_thumbnails

__all__ = ["make_thumbnails"]
