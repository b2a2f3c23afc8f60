"""How numbers and times read."""

from datetime import UTC, datetime, timedelta

import pytest

from app.web import wording

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (134.2, "2:14"), (3700, "1:01:40"), (-3, "0:00")]
)
def test_duration(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "under 0.1 s"), (0.04, "under 0.1 s"), (0.1, "0.1 s"), (0.42, "0.4 s"), (9.96, "10.0 s"), (134.2, "2:14")],
)
def test_length(seconds: float, text: str) -> None:
    assert wording.length(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "a few seconds"), (32, "about 30 s"), (60, "about 1 min"), (240, "about 4 min"), (7200, "about 2 h")],
)
def test_about(seconds: float, text: str) -> None:
    assert wording.about(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "less than a second"), (12.3, "12 s"), (99, "99 s"), (240, "4 min"), (7200, "2 h")],
)
def test_what_is_usual(seconds: float, text: str) -> None:
    assert wording.usual(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(-3, "any moment now"), (0.9, "any moment now"), (32, "in about 30 s")])
def test_soon(seconds: float, text: str) -> None:
    assert wording.soon(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (44, "just now"),
        (46, "1 min ago"),
        (1560, "26 min ago"),
        (7300, "2 h ago"),
        (90000, "yesterday"),
        (3 * 86400, "3 days ago"),
        (30 * 86400, "25 Oct 2026"),
    ],
)
def test_ago(seconds: float, text: str) -> None:
    assert wording.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_instants_are_said_in_utc() -> None:
    assert wording.instant(datetime.fromisoformat("2026-11-24T01:05:00+02:00")) == "23 Nov 2026, 23:05 UTC"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (4_200_000, "4.2 MB"), (96_400, "96 kB"), (3.2e12, "3.2 TB")]
)
def test_size(count: float, text: str) -> None:
    assert wording.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (48120, "48,120"),
        (-3, "−3"),
        (0.1 + 0.2, "0.3"),
        (1234.5, "1,234.5"),
        (-0.00001, "−1.000e−05"),
        (1.5e20, "1.500e+20"),
        (123456.789, "123,457"),
        ("East", "East"),
    ],
)
def test_number(value: object, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (17000, "17k"), (2_500_000, "2.5M"), (0.05, "0.05"), (-1200, "−1.2k"), (2e-6, "2e−6")]
)
def test_compact(value: float, text: str) -> None:
    assert wording.compact(value) == text


def test_ordinals_and_plurals() -> None:
    assert [wording.ordinal(at) for at in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "102nd",
        "111th",
    ]
    assert [wording.plural(at, "task") for at in (0, 1, 1200)] == ["0 tasks", "1 task", "1,200 tasks"]
