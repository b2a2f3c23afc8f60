"""When a task will start, and when it will end: arithmetic over what is known. Pure."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from app.tasks.line import Run

SOONEST: Final = 5.0  # seconds that a task ran before its end is guessed from how far it is
LEAST: Final = 0.05  # fraction done before that; both hold only where the task does not run for longer than usual


def until_start(
    ahead: int, like: Sequence[str], running: Sequence[Run], slots: int, usual: Mapping[str, float]
) -> float | None:
    """Likely seconds until a task starts that has `ahead` others before it; None where nothing tells.

    With a free slot for each of them and one more it starts at once. Else it waits until the first slot frees, and for each task ahead the average run time of
    the workloads in `like`, shared by all slots. `usual`: seconds that a workload takes, where it has a history.
    """
    free = slots - len(running)
    if ahead < free:
        return 0.0
    if slots < 1:
        return None
    frees = 0.0 if free > 0 else _first_free(running, usual)
    each = _average(like, usual) if ahead else 0.0
    return None if frees is None or each is None else round(frees + ahead * each / slots, 1)


def until_end(seconds: float, fraction: float | None, usual: float | None) -> float | None:
    """Likely seconds until a task ends that has run for so many: by how far it is, or else by what is usual. None where nothing tells.

    Nothing tells of what runs for longer than usual and does not say how far it is.
    """
    fraction = fraction or 0.0
    longer = usual is not None and seconds > usual
    if 0 < fraction < 1 and (longer or (seconds >= SOONEST and fraction >= LEAST)):
        return seconds * (1 - fraction) / fraction
    return None if usual is None or longer else usual - seconds


def _first_free(running: Sequence[Run], usual: Mapping[str, float]) -> float | None:
    lefts = [until_end(run.seconds, run.fraction, usual.get(run.workload)) for run in running]
    return min((left for left in lefts if left is not None), default=None)


def _average(workloads: Sequence[str], usual: Mapping[str, float]) -> float | None:
    """Those without a history are taken to be like the others."""
    known = [usual[workload] for workload in workloads if workload in usual]
    return fmean(known) if known else None
