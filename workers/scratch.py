"""Scratch space of a worker: a folder that is locked while the worker lives, so that the next one can tell what a killed one left behind."""

import contextlib
import fcntl
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

log = logging.getLogger(__name__)


@contextlib.contextmanager
def scratch(parent: Path, worker_id: UUID) -> Iterator[Path]:
    """A folder for one worker, removed at the end; what dead workers left in `parent` is removed at the start."""
    parent.mkdir(parents=True, exist_ok=True)
    for lock in parent.glob("*.lock"):
        with lock.open("r") as held, contextlib.suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock)
    lock = parent / f"{worker_id}.lock"
    with lock.open("x") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        folder = lock.with_suffix("")
        folder.mkdir()
        try:
            yield folder
        finally:
            _remove(lock)


def _remove(lock: Path) -> None:
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    lock.unlink(missing_ok=True)
