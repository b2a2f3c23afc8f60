"""What somebody who knows data would notice first, in words."""

from collections.abc import Iterator
from typing import Final

from workers.workloads.csv_profiling.statistics import Column, Correlations, percent
from workers.workloads.wording import many

_MUCH_MISSING: Final = 0.2
_SKEWED: Final = 2.0
_MANY_ZEROS: Final = 0.5
_TOGETHER: Final = 0.9
_MOST_PAIRS: Final = 10


def of_column(one: Column) -> Iterator[str]:
    """What stands out in a column."""
    if not one.filled:
        yield "is empty"
        return
    if one.missing_share >= _MUCH_MISSING:
        yield f"is missing in {percent(one.missing_share)} of the rows"
    if one.distinct == 1 and one.filled > 1:
        yield f"is always “{one.frequent[0][0][:40]}”"
    elif one.distinct == one.rows > 1 and one.family in ("text", "number") and one.kind in ("text", "whole number"):
        yield "is different in every row: it can tell rows apart"
    if one.spellings:
        said = " and ".join(f"“{spelling[:30]}”" for spelling in one.spellings[0][:3])
        more = f", and {len(one.spellings) - 1} more like this" if len(one.spellings) > 1 else ""
        yield f"spells values in several ways: {said}{more}"
    if one.days is not None and one.days.gaps and one.days.longest_gaps:
        gap = one.days.longest_gaps[0]
        yield f"has {many(one.days.gaps, 'gap')}; the longest is {gap.days:,} days, from {gap.after} to {gap.until}"
    yield from _of_numbers(one)


def of_pairs(related: Correlations | None) -> Iterator[tuple[str, str]]:
    """Columns that go together, the strongest first: (names, how)."""
    if related is None:
        return
    pairs = [
        (value, name, other)
        for place, (name, row) in enumerate(zip(related.names, related.rows, strict=True))
        for other, value in zip(related.names[:place], row[:place], strict=True)
        if value is not None and abs(value) >= _TOGETHER
    ]
    for value, name, other in sorted(pairs, key=lambda one: -abs(one[0]))[:_MOST_PAIRS]:
        yield (
            f"{other}, {name}",
            f"{'rise and fall together' if value > 0 else 'go opposite ways'} (correlation {value:.2f})",
        )


def _of_numbers(one: Column) -> Iterator[str]:
    numbers = one.numbers
    if numbers is None or one.distinct == 1:
        return
    if numbers.zeros / one.filled >= _MANY_ZEROS:
        yield f"is 0 in {percent(numbers.zeros / one.filled)} of its values"
    if (out := numbers.outliers) is not None and out.below + out.above:
        outside = out.below + out.above
        yield f"has {many(outside, 'outlier')} ({percent(outside / one.filled)}), below {out.low:,.6g} or above {out.high:,.6g}"
    if numbers.skewness is not None and abs(numbers.skewness) > _SKEWED:
        yield f"is strongly skewed to the {'right' if numbers.skewness > 0 else 'left'} ({numbers.skewness:.1f})"
