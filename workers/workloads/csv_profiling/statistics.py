"""The figures of a file's columns, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fall into each bin."""

    labels: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Outliers:
    """How many values lie outside Tukey's fences: 1.5 times the distance of the quartiles below the first, or above the third."""

    low: float
    high: float
    below: int
    above: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Figures of a column of numbers. `sd`, `skewness` and `kurtosis` (0 for the normal distribution) are the sample's; None where there is none, or it is too
    large for a float.
    """

    low: float
    high: float
    mean: float | None
    sd: float | None
    zeros: int
    negatives: int
    skewness: float | None = None
    kurtosis: float | None = None
    quantiles: dict[float, float] = field(default_factory=dict)
    outliers: Outliers | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """No value lies between these two days, which are so many days apart."""

    after: str
    until: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days of a column of times. `usual_step`: days from one to the next, most often; None where there is one day alone."""

    different: int
    spanned: int
    usual_step: int | None
    gaps: int
    longest_gaps: list[Gap]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What is known of a column. `filled` counts the values that are there, `frequent` its most frequent ones; first and last are of dates and texts."""

    name: str
    kind: str
    family: str
    rows: int
    filled: int
    distinct: int
    frequent: list[tuple[str, int]]
    first: str | None = None
    last: str | None = None
    longest: int | None = None  # characters
    once: int = 0  # values that stand in one row alone
    spellings: list[list[str]] = field(default_factory=list)  # of one value each, by upper case and spaces
    days: Days | None = None
    numbers: Numbers | None = None
    histogram: Histogram | None = None

    @property
    def missing(self) -> int:
        """How many values are not there."""
        return self.rows - self.filled

    @property
    def missing_share(self) -> float:
        """0 to 1."""
        return self.missing / self.rows


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's coefficient of every pair of columns of numbers, over the rows that have both; None where one of them does not vary."""

    names: list[str]
    rows: list[list[float | None]]


@dataclass(frozen=True, slots=True)
class MissingPatterns:
    """Rows by the columns that are missing in them: how many are complete, how many `different` sets there are, and the most frequent ones with their rows."""

    complete: int
    different: int
    frequent: list[tuple[list[str], int]]


def percent(share: float) -> str:
    """A share in percent: short, and never 0 or 100 where it is not."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    if 0.999 < share < 1:
        return "more than 99.9 %"
    return f"{share * 100:.1f} %" if share not in (0, 1) else f"{share * 100:.0f} %"
