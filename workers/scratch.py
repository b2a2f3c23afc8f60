"""Scratch space of a worker: a folder that is locked while the worker lives, so that the next one can tell what a killed one left behind."""

import contextlib
import fcntl
import logging
import os
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
        try:
            held = lock.open("r")
        except FileNotFoundError:  # another worker that starts has removed it
            continue
        with held, contextlib.suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock)
    lock = parent / f"{worker_id}.lock"
    unnamed = lock.with_suffix(".new")
    with unnamed.open("x") as held:
        # Locked before others can find it: they would take it for a dead worker's.
        fcntl.flock(held, fcntl.LOCK_EX)
        unnamed.rename(lock)
        folder = lock.with_suffix("")
        folder.mkdir()
        try:
            yield folder
        finally:
            _remove(lock)


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, also where a task has closed a part of it to everybody."""
    shutil.rmtree(folder, ignore_errors=True)
    for inside, names, _ in os.walk(folder):  # whatever is left
        for part in (Path(inside, name) for name in names):
            if not part.is_symlink():
                part.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _remove(lock: Path) -> None:
    remove(lock.with_suffix(""))
    lock.unlink(missing_ok=True)
