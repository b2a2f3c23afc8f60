"""The figures of a file's columns, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fall into each bin."""

    labels: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Figures of a column of numbers. `sd` is the sample's standard deviation; None where there is none, or it is too large for a float."""

    low: float
    high: float
    mean: float | None
    sd: float | None
    zeros: int
    negatives: int
    quantiles: dict[float, float] = field(default_factory=dict)
    exact: bool = True  # the quantiles


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
