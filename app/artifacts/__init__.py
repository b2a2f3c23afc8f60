"""Uploads and results: bytes by key, in a folder or an S3 bucket."""

from app.artifacts.store import ArtifactStore, Written

__all__ = ["ArtifactStore", "Written"]
