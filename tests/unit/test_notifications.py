"""The words of the page of notifications."""

from datetime import date, datetime, timedelta

import pytest

from app.catalogue import Workload
from app.notifications.model import Notice, Reading
from app.tasks.states import State
from app.web.notifications import Voice, by_day, day_word, voices
from app.web.wording import capped
from tests.unit.test_cards import NOW, task


@pytest.mark.parametrize(
    ("when", "word"),
    [
        (date(2026, 11, 24), "Today"),
        (date(2026, 11, 23), "Yesterday"),
        (date(2026, 11, 22), "22 Nov 2026"),
        (date(2025, 11, 24), "24 Nov 2025"),
    ],
)
def test_days_are_called_as_people_call_them(when: date, word: str) -> None:
    assert day_word(when, date(2026, 11, 24)) == word


def test_yesterday_may_be_in_another_year() -> None:
    assert day_word(date(2025, 12, 31), date(2026, 1, 1)) == "Yesterday"


def test_ends_stand_under_their_day() -> None:
    other = datetime.fromisoformat("2026-11-24T01:30:00+02:00")  # the 23rd in UTC
    notices = [
        Notice(9, NOW, task(State.SUCCEEDED, name="Autumn", summary="6 key points"), unread=True),
        Notice(
            7, NOW - timedelta(hours=1), task(State.FAILED, name="Winter", error={"message": "Row 214."}), unread=True
        ),
        Notice(4, other, task(State.CANCELLED, name="Spring", workload="gone", progress_fraction=0.5), unread=False),
    ]
    days = by_day(notices, {"countdown": "Count down"}, NOW.date())
    assert [(day.word, [one.seq for one in day.lines]) for day in days] == [("Today", [9, 7]), ("Yesterday", [4])]
    said = [(one.head, one.line, one.workload, one.look.word, one.unread) for day in days for one in day.lines]
    assert said == [
        ("Autumn is ready", "6 key points", "Count down", "Finished", True),
        ("Winter failed", "Row 214.", "Count down", "Failed", True),
        ("Spring was cancelled", "You cancelled this at 50%.", "gone", "Cancelled", False),
    ]


def test_no_ends_make_no_days() -> None:
    assert by_day([], {}, NOW.date()) == []


def test_what_is_muted_stays_on_the_list_when_nobody_can_run_it_any_more() -> None:
    reading = Reading(seq=1, head=2, unread=0, muted=("csv_profile", "gone"))
    assert voices([workload("countdown", "Count down"), workload("csv_profile", "Profile a CSV")], reading) == [
        Voice("countdown", "Count down", muted=False),
        Voice("csv_profile", "Profile a CSV", muted=True),
        Voice("gone", "gone", muted=True),
    ]


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (3, "3"), (99, "99"), (100, "99+"), (5000, "99+")])
def test_a_badge_has_room_for_two_figures(count: int, text: str) -> None:
    assert capped(count) == text


def workload(name: str, title: str) -> Workload:
    return Workload(
        name=name,
        version=1,
        title=title,
        description="",
        mode="async",
        lane="light",
        schema={},
        limits={},
        timeout_s=60.0,
        max_attempts=3,
        source="",
    )
