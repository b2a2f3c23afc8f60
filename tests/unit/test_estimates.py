"""When a task will start: the arithmetic, and how the start form says it."""

from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest

from app.tasks.estimates import until_end, until_start
from app.tasks.line import Run
from app.tasks.waits import Wait
from app.web.start import expectation

WORKER: UUID = uuid4()
USUAL: Mapping[str, float] = {"short": 10.0, "long": 100.0}


def runs(*parts: tuple[str, float]) -> list[Run]:
    return [Run(workload, WORKER, seconds) for workload, seconds in parts]


@pytest.mark.parametrize(("ahead", "running", "slots"), [(0, 0, 1), (0, 3, 4), (2, 1, 4)])
def test_with_a_free_slot_for_it_a_task_starts_at_once_also_without_a_history(
    ahead: int, running: int, slots: int
) -> None:
    assert until_start(ahead, ["new"] * ahead, runs(*[("new", 1.0)] * running), slots, {}) == 0


def test_where_all_slots_are_busy_it_waits_for_the_first_that_frees() -> None:
    assert until_start(0, [], runs(("long", 20), ("short", 4)), 2, USUAL) == 6


def test_nothing_tells_of_what_runs_for_longer_than_usual() -> None:
    assert until_start(0, [], runs(("short", 60)), 1, USUAL) is None
    assert until_start(0, [], runs(("short", 60), ("long", 20)), 2, USUAL) == until_start(
        0, [], runs(("long", 20)), 1, USUAL
    )


def test_how_far_a_task_is_tells_more_than_what_is_usual() -> None:
    assert until_start(0, [], [Run("short", WORKER, 30, 0.25)], 1, USUAL) == 90
    assert until_start(0, [], [Run("new", WORKER, 30, 0.25)], 1, {}) == 90
    assert until_start(0, [], [Run("short", WORKER, 4, 0.5), Run("short", WORKER, 6, 0.01)], 2, USUAL) == 4


@pytest.mark.parametrize(
    ("seconds", "fraction", "usual", "left"),
    [
        (60, 0.5, 10, 60),
        (4, 0.5, 10, 6),
        (60, 1.0, 100, 40),
        (60, None, 10, None),
        (60, 0.0, None, None),
        (3, 0.01, 1, 297),
        (60, 0.01, 100, 40),
    ],
)
def test_what_is_left(seconds: float, fraction: float | None, usual: float | None, left: float | None) -> None:
    assert until_end(seconds, fraction, usual) == (None if left is None else pytest.approx(left))


def test_what_is_ahead_is_shared_by_all_slots() -> None:
    busy = runs(("short", 4), ("short", 2))
    assert until_start(4, ["short"] * 4, busy, 2, USUAL) == 6 + 4 * 10 / 2
    assert until_start(4, ["short", "short", "short", "long"], busy, 2, USUAL) == 6 + 4 * 32.5 / 2


def test_what_is_ahead_may_need_the_free_slots_too() -> None:
    assert until_start(2, ["short"] * 2, runs(("long", 1)), 2, USUAL) == 2 * 10 / 2


def test_nothing_is_said_without_a_history() -> None:
    assert until_start(0, [], runs(("new", 4)), 1, USUAL) is None
    assert until_start(1, ["new"], runs(("short", 4)), 1, USUAL) is None
    assert until_start(0, [], [], 0, USUAL) is None


def test_what_has_no_history_is_taken_to_be_like_the_others() -> None:
    assert until_start(2, ["new", "short"], runs(("new", 4), ("short", 4)), 2, USUAL) == 6 + 2 * 10 / 2


@pytest.mark.parametrize(
    ("wait", "takes", "said"),
    [
        (Wait("line", "…", 4, 40.0), 12.2, "Usually takes 12 s. 3 in line before it: starts in about 40 s."),
        (Wait("line", "…", 4), None, "3 in line before it."),
        (Wait("line", "…", 1, 0.0), None, "Next in line: starts any moment now."),
        (Wait("line", "…", 1, 0.4), 0.3, "Usually takes less than a second. Next in line: starts any moment now."),
        (Wait("line", "…", 1, 130.0), None, "Next in line: starts in about 2 min."),
        (Wait("line", "…", 1), None, "Next in line: starts when a worker is free."),
        (Wait("line", "…"), 600.0, "Usually takes 10 min. At least 1,000 in line before it."),
        (Wait("broker_down", "The broker is down.", 2, 9.0), None, "1 in line before it: starts in a few seconds. The broker is down."),
        (Wait("no_worker", "Start one."), 12.0, "Usually takes 12 s. Start one."),
        (Wait("limit", "You have 3."), None, "You have 3."),
    ],
)  # fmt: skip
def test_the_form_says_what_to_expect(wait: Wait, takes: float | None, said: str) -> None:
    assert expectation(wait, takes) == said
