"""The processes of this machine: who carries a word, and who descends from whom."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple


class Found(NamedTuple):
    """A process that lives."""

    pid: int
    command: str


def carrying(word: str) -> Iterator[Found]:
    """The processes that have the word in their environment or command, guards of test servers aside. Zombies have neither any more."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            carries = word.encode() in command + (folder / "environ").read_bytes()
        except OSError:  # it has ended, or is another user's
            continue
        if carries and b"guard.py" not in command:
            yield Found(int(folder.name), command.replace(b"\0", b" ").decode(errors="replace").strip())


def within(pid: int, roots: Collection[int]) -> bool:
    """Whether the process is one of `roots`, or descends from one; also where it has ended meanwhile."""
    while pid not in roots:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return True
        pid = int(stat.rpartition(")")[2].split()[1])
        if pid <= 1:
            return False
    return True


def alive(pid: int) -> bool:
    """Whether it runs or is frozen: not ended, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
