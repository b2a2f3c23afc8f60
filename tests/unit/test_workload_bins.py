"""The bins of histograms: few, even, at numbers that people like to read, and around every value."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.workloads.csv_profiling.bins import MOST, bins, number_labels, time_bins, time_labels
from workers.workloads.csv_profiling.statistics import percent

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, st.booleans())
@example(1.7976931348623157e308, -9.461542815064813e306, False)
def test_bins_hold_every_value(one: float, other: float, whole: bool) -> None:
    if whole:
        one, other = float(math.floor(one)), float(math.floor(other))
    low, high = min(one, other), max(one, other)
    edges = bins(low, high, whole=whole)
    assert edges[0] <= low
    assert edges[-1] >= high
    assert len(edges) <= MOST + 1
    assert all(before <= after for before, after in pairwise(edges))
    assert len(number_labels(edges, low, high, whole=whole)) == len(edges) - 1


@pytest.mark.parametrize(
    ("low", "high", "whole", "labels"),
    [
        (0, 3, True, ["0", "1", "2", "3"]),
        (3, 3, True, ["3"]),
        (0.5, 0.5, False, ["0.5"]),
        (-2, 1, False, ["-2.0 to -1.8", "…", "0.8–1.0"]),
        (0, 999_999, True, ["0–50,000", "…", "950,000–1,000,000"]),
        (1_000_000.25, 1_000_000.5, False, ["1,000,000.24–1,000,000.26", "…", "1,000,000.48–1,000,000.50"]),
    ],
)
def test_labels_read_well(low: float, high: float, whole: bool, labels: list[str]) -> None:
    found = number_labels(bins(low, high, whole=whole), low, high, whole=whole)
    assert (found if "…" not in labels else [found[0], "…", found[-1]]) == labels


def test_open_ends_say_so() -> None:
    labels = number_labels(bins(0, 100), -5, 1e6, whole=False)
    assert (labels[0], labels[1], labels[-1]) == ("below 5", "5–10", "95 and more")


@given(st.floats(-62_135_596_800, 253_402_300_799), st.floats(-62_135_596_800, 253_402_300_799))
@example(-5e-324, 60_500_210_804.8)
def test_bins_of_time_hold_every_moment(one: float, other: float) -> None:
    first, last = min(one, other), max(one, other)
    edges = time_bins(first, last)
    assert edges[0] <= first
    assert edges[-1] >= last
    assert 1 <= len(edges) - 1 <= MOST
    assert len(time_labels(edges)) == len(edges) - 1


def test_days_are_labelled_as_days_and_hours_as_hours() -> None:
    assert time_labels(time_bins(0, 100 * 86_400))[:2] == ["1970-01-01", "1970-01-06"]
    assert time_labels(time_bins(0, 86_400))[:2] == ["1970-01-01 00:00", "1970-01-01 01:12"]


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (1, "100 %"), (0.031, "3.1 %"), (0.00001, "less than 0.1 %"), (0.99999, "more than 99.9 %")],
)
def test_a_share_is_never_nothing_or_all_where_it_is_not(share: float, said: str) -> None:
    assert percent(share) == said
