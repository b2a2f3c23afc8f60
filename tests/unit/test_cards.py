"""A task as a row: words, clocks and one line that says what came of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.tasks.model import Task, new_id
from app.tasks.states import State
from app.tasks.waits import Wait
from app.web.cards import initials, line, row

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def task(state: State, **more: Any) -> Task:
    fields = {
        "id": new_id(),
        "user_id": 1,
        "name": "Autumn",
        "workload": "countdown",
        "version": 1,
        "lane": "light",
        "state": state,
        "attempt": 1,
        "max_attempts": 3,
        "priority": 0,
        "progress_fraction": None,
        "progress_message": "",
        "summary": None,
        "error": None,
        "retry_of": None,
        "cancel_requested_at": None,
        "created_at": NOW - timedelta(seconds=100),
        "run_at": NOW - timedelta(seconds=100),
        "started_at": None if state is State.QUEUED else NOW - timedelta(seconds=60),
        "finished_at": NOW if state.terminal else None,
    }
    return Task(**{**fields, **more})


def test_a_running_task_says_how_far_it_is_and_how_long_it_will_take() -> None:
    shown = row(task(State.RUNNING, progress_fraction=0.5, progress_message="half"), "Countdown", NOW)
    assert (shown.lead, shown.message, shown.clock_text, shown.rest) == ("50%", "half", "1:00", "about 1 min left")
    assert (shown.look.word, shown.workload) == ("Running", "Countdown")


def test_a_share_is_cut_not_rounded() -> None:
    assert row(task(State.RUNNING, progress_fraction=0.999), "", NOW).lead == "99%"


@pytest.mark.parametrize("more", [{"progress_fraction": None}, {"progress_fraction": 0.01}, {"progress_fraction": 1.0}])
def test_nothing_is_guessed_from_too_little(more: dict[str, Any]) -> None:
    assert row(task(State.RUNNING, **more), "", NOW).rest == ""
    assert row(task(State.RUNNING, progress_fraction=0.5, started_at=NOW - timedelta(seconds=2)), "", NOW).rest == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "about 2 min left"),
        ({"started_at": NOW - timedelta(seconds=150)}, "a few seconds left"),
        ({"started_at": NOW - timedelta(seconds=60 + 99.5)}, "any moment now"),
        ({"started_at": NOW - timedelta(seconds=400)}, ""),  # it takes longer than usual
        ({"progress_fraction": 0.5}, "about 1 min left"),  # how far it is tells more than what is usual
        ({"cancel_requested_at": NOW}, ""),
    ],
)
def test_where_there_is_a_history_it_tells_what_is_left(more: dict[str, Any], said: str) -> None:
    assert row(task(State.RUNNING, **more), "", NOW, usual=160.0).rest == said


def test_a_waiting_task_says_its_place_and_why() -> None:
    shown = row(task(State.QUEUED), "", NOW, Wait("line", "1 in line before this one.", 2, 55.0))
    assert (shown.lead, shown.message, shown.rest, shown.clock_text) == (
        "2nd in line",
        "Starts when a worker is free",
        "starts in about 1 min",
        "1:40",
    )
    assert row(task(State.QUEUED), "", NOW).lead == "Waiting"
    assert row(task(State.QUEUED), "", NOW, Wait("line", "", 1, 0.0), usual=9.0).rest == "starts any moment now"


def test_a_task_that_was_asked_to_stop_says_so() -> None:
    assert row(task(State.RUNNING, cancel_requested_at=NOW, progress_fraction=0.4), "", NOW).lead == "Cancelling"


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        (State.SUCCEEDED, {"summary": "6 key points"}, "6 key points"),
        (State.SUCCEEDED, {}, ""),
        (
            State.FAILED,
            {"error": {"kind": "error", "message": "Row 214.", "hint": "Correct it."}},
            "Row 214. Correct it.",
        ),
        (State.FAILED, {"error": {"kind": "lost", "message": "Gone.", "hint": None}}, "Gone."),
        (State.CANCELLED, {"progress_fraction": 0.126}, "You cancelled this at 12%."),
        (State.CANCELLED, {"progress_fraction": 0.001}, "You cancelled this."),
        (State.CANCELLED, {}, "You cancelled this."),
        (State.RUNNING, {}, ""),
    ],
)
def test_one_line_says_what_came_of_it(state: State, more: dict[str, Any], said: str) -> None:
    assert line(task(state, **more)) == said


def test_an_ended_task_says_how_long_it_took() -> None:
    shown = row(task(State.SUCCEEDED), "", NOW)
    assert (shown.took, shown.clock, shown.ended_at) == ("1:00", None, NOW)
    assert row(task(State.SUCCEEDED, started_at=NOW - timedelta(seconds=0.42)), "", NOW).took == "0.4 s"
    assert row(task(State.CANCELLED, started_at=None), "", NOW).took == ""


@pytest.mark.parametrize(
    ("name", "letters"), [("ada", "AD"), ("ada.lovelace", "AL"), ("grace_hopper-2", "GH"), ("...", "..")]
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters
