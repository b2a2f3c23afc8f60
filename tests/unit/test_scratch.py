"""Scratch space: what a killed worker leaves is removed, what a living one uses is not."""

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

import pytest

from workers.scratch import remove, scratch

DYING = """
import os, sys
from pathlib import Path
from uuid import UUID
from workers.scratch import scratch
with scratch(Path(sys.argv[1]), UUID(sys.argv[2])) as folder:
    (folder / "half.bin").write_bytes(b"x")
    os.kill(os.getpid(), 9)
"""


def test_a_living_worker_keeps_its_folder_and_leaves_none(tmp_path: Path) -> None:
    with scratch(tmp_path, uuid4()) as first:
        (first / "data").write_text("mine")
        with scratch(tmp_path, uuid4()):
            assert (first / "data").read_text() == "mine"
    assert list(tmp_path.iterdir()) == []


def test_the_next_worker_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    dead = uuid4()
    subprocess.run([sys.executable, "-c", DYING, str(tmp_path), str(dead)], check=False, timeout=20)
    assert (tmp_path / str(dead) / "half.bin").exists()
    with scratch(tmp_path, UUID(int=1)) as mine:
        assert set(tmp_path.iterdir()) == {mine, mine.with_suffix(".lock")}


def test_a_folder_that_was_closed_is_removed_and_what_a_link_points_to_is_not_touched(tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir(mode=0o550)
    (closed := tmp_path / "attempt" / "closed" / "inside").mkdir(parents=True)
    (closed.parent.parent / "link").symlink_to(other)
    (closed / "file").touch()
    closed.chmod(0)
    closed.parent.chmod(0)
    remove(tmp_path / "attempt")
    assert list(tmp_path.iterdir()) == [other]
    assert other.stat().st_mode & 0o777 == 0o550


def test_two_workers_that_start_together_do_not_trip_over_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = [tmp_path / f"{uuid4()}.lock" for _ in range(2)]
    for lock in stale:
        lock.touch()

    def removed(folder: Path) -> None:
        for lock in stale:  # the other worker was faster with the rest
            lock.unlink(missing_ok=True)

    monkeypatch.setattr("workers.scratch.remove", removed)
    with scratch(tmp_path, UUID(int=1)) as mine:
        assert set(tmp_path.iterdir()) == {mine, mine.with_suffix(".lock")}


def test_a_worker_that_is_about_to_lock_is_not_taken_for_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def slow(held: IO[str], how: int) -> None:
        monkeypatch.undo()
        with scratch(tmp_path, uuid4()):  # another one starts meanwhile
            flock(held, how)

    monkeypatch.setattr("fcntl.flock", slow)
    with scratch(tmp_path, uuid4()) as mine:
        assert set(tmp_path.iterdir()) == {mine, mine.with_suffix(".lock")}
        with scratch(tmp_path, uuid4()):
            assert mine.exists()
