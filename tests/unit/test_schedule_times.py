"""When schedules start: time zones with their leaps, and what was missed."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.schedules.times import LATE, MOST_COUNTED, Recurrence, Turn, local, turn, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
NINE = Recurrence.of("0 9 * * *", ZoneInfo("UTC"))
DUE = datetime(2026, 11, 2, 9, tzinfo=UTC)


def times(cron: str, zone: str, since: str, count: int) -> list[str]:
    """The next times on the clock of the zone."""
    at = datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(zone))
    return [one.astimezone(at.tzinfo).isoformat() for one in Recurrence.of(cron, ZoneInfo(zone)).upcoming(at, count)]


def test_a_time_of_day_stays_while_the_offset_changes() -> None:
    assert times("0 9 * * MON", "Europe/Berlin", "2026-10-19T09:00", 2) == [
        "2026-10-26T09:00:00+01:00",
        "2026-11-02T09:00:00+01:00",
    ]
    assert times("0 9 * * MON", "America/New_York", "2026-10-26T00:00", 2) == [
        "2026-10-26T09:00:00-04:00",
        "2026-11-02T09:00:00-05:00",
    ]


def test_what_the_clock_leaps_over_starts_after_the_leap() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_what_comes_twice_starts_once() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_what_recurs_within_the_hour_follows_the_time_that_passes() -> None:
    assert times("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:45", 5) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 0 * * *", "15 */2 * * *", "*/20 * * * *", "59 23 L * *"])
def test_forward_and_back_agree(cron: str, zone: str) -> None:
    recurrence = Recurrence.of(cron, ZoneInfo(zone))
    found = recurrence.upcoming(datetime(2026, 3, 1, tzinfo=UTC), 200)
    assert found == sorted(set(found))
    for at, following in itertools.pairwise(found):
        for between in (at, at + (following - at) / 2, following - timedelta(seconds=1)):
            assert (recurrence.latest(between), recurrence.after(between)) == (at, following)


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "five fields"),
        ("* * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 * * * *", "bad minute"),
        ("0 9 * * FUN", "bad day-of-week"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("0 " * 60, "five fields"),
        ("0 0 30 2 *", "bad day-of-month"),
    ],
)
def test_a_wrong_expression_says_what_is_wrong(cron: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Recurrence.of(cron, BERLIN)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "europe/berlin", "Europe"])
def test_a_wrong_zone_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        zone_of(name)


def test_it_reads_in_english() -> None:
    assert Recurrence.of("0 9 * * MON-FRI", BERLIN).words() == "At 09:00 on Monday through Friday"


@pytest.mark.parametrize(
    ("now", "make_up", "expected"),
    [
        # On time, whatever is to be done about missed ones.
        (DUE, False, Turn(DUE, True, 0, DUE + timedelta(days=1))),
        (DUE + LATE, False, Turn(DUE, True, 0, DUE + timedelta(days=1))),
        (DUE + LATE, True, Turn(DUE, True, 0, DUE + timedelta(days=1))),
        # Late: missed, or made up for.
        (DUE + timedelta(hours=1), False, Turn(DUE, False, 1, DUE + timedelta(days=1))),
        (DUE + timedelta(hours=1), True, Turn(DUE, True, 0, DUE + timedelta(days=1))),
        # Several days late: one task at most.
        (DUE + timedelta(days=3, hours=1), True, Turn(DUE + timedelta(days=3), True, 3, DUE + timedelta(days=4))),
        (DUE + timedelta(days=3, hours=1), False, Turn(DUE + timedelta(days=3), False, 4, DUE + timedelta(days=4))),
        # Back on time after missed ones.
        (DUE + timedelta(days=3), False, Turn(DUE + timedelta(days=3), True, 3, DUE + timedelta(days=4))),
    ],
)
def test_what_was_missed(now: datetime, make_up: bool, expected: Turn) -> None:
    assert turn(DUE, now, NINE, make_up=make_up) == expected


def test_years_of_missed_minutes_take_no_time() -> None:
    now = DUE + timedelta(days=3650, seconds=10)
    expected = Turn(now - timedelta(seconds=10), True, MOST_COUNTED, now + timedelta(seconds=50))
    assert turn(DUE, now, Recurrence.of("* * * * *", BERLIN), make_up=False) == expected


def test_a_single_time_has_no_next() -> None:
    late = DUE + timedelta(hours=1)
    assert turn(DUE, DUE, None, make_up=False) == Turn(DUE, True, 0, None)
    assert turn(DUE, late, None, make_up=True) == Turn(DUE, True, 0, None)
    assert turn(DUE, late, None, make_up=False) == Turn(DUE, False, 1, None)


def test_a_local_time_that_comes_twice_or_never() -> None:
    assert local(datetime.fromisoformat("2026-10-25T02:30"), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert local(datetime.fromisoformat("2026-03-29T02:30"), BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
