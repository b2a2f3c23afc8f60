"""The limits that a child process sets for itself, which the kernel keeps: rough ones, that hold between two looks of its parent, and if that stops looking."""

import errno
import math
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from workers.allowance import MIB, Allowance

_OOM_SCORE: Final = "500"  # where memory runs out, the kernel takes the task and not its worker
_MOST_MORE: Final = 4_096  # processes and threads that the user may have besides those of this moment
_RESERVED: Final = 1024 * MIB, 64 * MIB  # of memory that libraries reserve and never touch; and for each processor
_SLACK: Final = 2  # seconds of processor time that the parent has to notice


def be_modest() -> None:
    """For all that this process will ever do: where memory runs out it is the first to go, no core is dumped, and its user's processes stay countable."""
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform != "linux":
        return
    with suppress(OSError):  # a sandbox may forbid it
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    # The kernel counts a user's processes wherever they come from: this stops an explosion, it does not count this task's.
    _limit(resource.RLIMIT_NPROC, _threads_of(os.getuid()) + _MOST_MORE)


def keep_to(allowance: Allowance, remaining_s: float) -> None:
    """For the work that comes now."""
    _limit(resource.RLIMIT_FSIZE, allowance.disk_mib * MIB)
    always, each = _RESERVED
    cores = os.cpu_count() or 1
    _limit(resource.RLIMIT_DATA, 2 * allowance.memory_mib * MIB + always + each * cores)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = min(allowance.cpu_s or math.inf, max(remaining_s, 0) * cores) + _SLACK
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds), for_good=False)


def hint(error: BaseException) -> str | None:
    """What to do about an error that comes from a limit."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return "Give it less to do at once, or raise the workload's `memory_mib`."
    if number == errno.EFBIG:
        return "It wrote a file that is larger than its limit of disk. Let it write less, or raise the workload's `disk_mib`."
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "There is no space left on the worker's disk."
    return None


def _limit(what: int, value: int, *, for_good: bool = True) -> None:
    _, hard = resource.getrlimit(what)
    kept = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (kept, kept if for_good else hard))


def _threads_of(user: int) -> int:
    """How many threads the user has, as far as this process can see."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError, ValueError, IndexError):
            said = dict(line.split(":", 1) for line in status.read_text(errors="replace").splitlines() if ":" in line)
            if int(said["Uid"].split()[0]) == user:
                count += int(said["Threads"])
    return count
