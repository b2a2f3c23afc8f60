"""The processes that belong to a child process: what it started, and what those started, wherever they have gone since. Linux; elsewhere none are found.

A process is known by its number and the moment it was started, so that a number that has become another's is never taken for it.
"""

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MOST: Final = 10_000  # processes of one family that are looked at
_MOST_LOOKS: Final = 100  # while there are more of them each time


@dataclass(frozen=True, slots=True)
class Member:
    """A process. `started` is in ticks since the machine's start, `cpu_s` includes the children that it has collected."""

    pid: int
    session: int
    started: int
    cpu_s: float
    dead: bool  # but not collected by its parent


def member(pid: int) -> Member | None:
    """The process of this number; None where there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name, in brackets, may hold anything.
    fields = text[text.rindex(b")") + 2 :].split()
    cpu = sum(map(int, fields[11:15])) / _TICKS
    return Member(pid, int(fields[3]), int(fields[19]), cpu, fields[0] in (b"Z", b"X"))


def family(pid: int) -> list[Member]:
    """The process itself, and all that descends from it: what its dead descendants have left too, where it is their subreaper."""
    found: list[Member] = []
    waiting = [pid]
    while waiting and len(found) < _MOST:
        if (one := member(waiting.pop())) is not None:
            found.append(one)
            waiting += _children(one.pid)
    return found


def left_behind(root: Member, mark: bytes) -> list[Member]:
    """What is left of a child that has died itself: processes of its session, and those whose environment holds its mark."""
    found = []
    for pid in _pids():
        one = member(pid)
        if one is None or one.dead or pid == root.pid or one.started < root.started:
            continue
        if one.session == root.pid or _marked(pid, mark):
            found.append(one)
    return found


def send(members: Iterable[Member], number: signal.Signals) -> None:
    """Send a signal to each that is still the process that it was."""
    if sys.platform != "linux":
        return
    for one in members:
        with contextlib.suppress(OSError):
            # Held before it is looked at again: the number cannot become another's in between.
            descriptor = os.pidfd_open(one.pid)
            try:
                now = member(one.pid)
                if now is not None and now.started == one.started:
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


def held_still(find: Callable[[], list[Member]]) -> list[Member]:
    """All that `find` finds, stopped, so that what starts others all the time can be killed as a whole."""
    found: dict[tuple[int, int], Member] = {}
    for _ in range(_MOST_LOOKS):
        new = [one for one in find() if (one.pid, one.started) not in found]
        if not new:
            break
        send(new, signal.SIGSTOP)
        found |= {(one.pid, one.started): one for one in new}
    return list(found.values())


def memory(members: Iterable[Member]) -> int:
    """Bytes that these processes hold together, each page that several share counted in all of them: never less than there is."""
    return sum(_summed(one.pid, "status", (b"RssAnon:", b"RssShmem:", b"VmSwap:")) for one in members)


def shared_memory(members: Iterable[Member]) -> int:
    """Bytes that these processes hold together, with each shared page counted once. Takes longer."""
    return sum(_summed(one.pid, "smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")) for one in members)


def removed_files(members: Iterable[Member]) -> int:
    """Bytes on disk of files that have no name any more and live on because these processes hold them open."""
    held: dict[tuple[int, int], int] = {}
    for one in members:
        with contextlib.suppress(OSError), os.scandir(_PROC / str(one.pid) / "fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    file = entry.stat()
                    if stat.S_ISREG(file.st_mode) and not file.st_nlink:
                        held[file.st_dev, file.st_ino] = file.st_blocks * 512
    return sum(held.values())


def _children(pid: int) -> Iterator[int]:
    # Each thread has a list of those that it has started.
    with contextlib.suppress(OSError):
        for thread in os.listdir(_PROC / str(pid) / "task"):  # noqa: PTH208  a name each is all that is wanted
            with contextlib.suppress(OSError):
                yield from map(int, (_PROC / str(pid) / "task" / thread / "children").read_bytes().split())


def _pids() -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir(_PROC) if name.isdecimal())  # noqa: PTH208


def _marked(pid: int, mark: bytes) -> bool:
    try:
        return mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _summed(pid: int, file: str, wanted: tuple[bytes, ...]) -> int:
    try:
        lines = (_PROC / str(pid) / file).read_bytes().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))
