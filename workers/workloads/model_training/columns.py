"""Which columns are learned from, and as what; which are left out, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import nan
from typing import TYPE_CHECKING, Any, Final, Literal

from workers.workloads.model_training.errors import NoColumns
from workers.workloads.model_training.forms import EPOCH, Form, find_form
from workers.workloads.model_training.reading import Cells, Sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW: Final = 20  # different texts that are categories even where the rows are few


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a column of the file is used as; `why` it is left out."""

    name: str
    use: Literal["number", "category", "date", "left out"]
    form: str
    missing: int  # rows
    distinct: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of what the models see: numbers or texts, nan where missing. It is made of the file's column `source`, written as `form`; of a date it is a `part`."""

    name: str
    source: str
    values: list[Any]
    form: Form | None
    part: "Part | None" = None

    @property
    def categorical(self) -> bool:
        """Whether it is one of texts."""
        return self.form is None


@dataclass(frozen=True, slots=True)
class Features:
    """What the models see of a file."""

    features: list[Feature]
    columns: list[Column]

    def matrix(self) -> "NDArray[Any]":
        """A row for each of the file's: of floats, or of objects where there are categories."""
        import numpy as np

        matrix = np.empty(
            (len(self.features[0].values), len(self.features)),
            dtype=object if any(one.categorical for one in self.features) else float,
        )
        for at, feature in enumerate(self.features):
            matrix[:, at] = feature.values
        return matrix

    def places(self, *, categorical: bool) -> list[int]:
        """Where the features of a kind stand."""
        return [at for at, one in enumerate(self.features) if one.categorical is categorical]


@dataclass(frozen=True, slots=True)
class Part:
    """A number that stands for something about a date. `pandas` makes it of the series `date`."""

    name: str
    pandas: str
    of: Callable[[datetime], float]


_DAY: Final = timedelta(days=1)
_PARTS: Final = (
    Part("days", '(date - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)', lambda at: (at - EPOCH) / _DAY),
    Part("month", "date.dt.month", lambda at: float(at.month)),
    Part("weekday", "date.dt.day_of_week", lambda at: float(at.weekday())),
    Part("hour", "date.dt.hour", lambda at: float(at.hour)),
)


def features_of(sheet: Sheet, target: str) -> Features:
    """Every column but the target: numbers as they are, texts of few different values as categories, dates as days, month, weekday and hour.

    Raises `NoColumns` where none is left.
    """
    features, columns = list[Feature](), list[Column]()
    wanted = sheet.columns[sheet.names.index(target)]
    for name, cells in zip(sheet.names, sheet.columns, strict=True):
        if name == target:
            continue
        column, made = _used(name, cells, wanted, sheet.places)
        columns.append(column)
        features += made
    if not features:
        reasons = "; ".join(f"“{one.name}”: {one.why}" for one in columns[:5])
        raise NoColumns(hint=f"{reasons}." if reasons else "Add columns beside the target.")
    return Features(features, columns)


def _used(name: str, cells: Cells, wanted: Cells, places: list[int]) -> tuple[Column, list[Feature]]:
    filled = [value for value in cells if value is not None]
    distinct = len(set(filled))
    form = find_form(filled)
    why = _reason(cells, filled, distinct, form, wanted, places)
    column = Column(
        name=name,
        use="left out" if why else "category" if form is None else form.kind,
        form="text" if form is None else form.name,
        missing=len(cells) - len(filled),
        distinct=distinct,
        why=why,
    )
    if why:
        return column, []
    if form is None:
        return column, [Feature(name, name, [nan if value is None else value for value in cells], None)]
    if form.kind == "number":
        return column, [Feature(name, name, [nan if value is None else form.number(value) for value in cells], form)]
    return column, _of_dates(name, cells, form)


def _of_dates(name: str, cells: Cells, form: Form) -> list[Feature]:
    dates = [None if value is None else form.date(value) for value in cells]
    made = []
    for part in _PARTS:
        values = [nan if at is None else part.of(at) for at in dates]
        if len({value for value in values if value == value}) > 1:  # noqa: PLR0124  nan differs from itself
            made.append(Feature(f"{name} ({part.name})", name, values, form, part))
    return made


def _reason(cells: Cells, filled: list[str], distinct: int, form: Form | None, wanted: Cells, places: list[int]) -> str:
    """Why nothing can be learned from a column; empty where something can."""
    if not filled:
        return "it is empty"
    if distinct == 1 and len(filled) == len(cells):
        return "it holds the same value in every row"
    if cells == wanted:
        return "it repeats the target"
    if form is None:
        if distinct > max(min(FEW, len(filled) // 2), len(filled) // 10):
            return f"it is text: {distinct:,} different values in {len(filled):,} rows"
        return ""
    if form.kind == "number" and len(filled) == len(cells) and _counts(filled, form, places):
        return "it counts the rows"
    return ""


def _counts(filled: list[str], form: Form, places: list[int]) -> bool:
    """Whether it says which row of the file this is, counted from 0 or 1, as exports add it."""
    first = form.number(filled[0]) - places[0]
    return first in (-2, -1) and all(
        form.number(value) - place == first for value, place in zip(filled, places, strict=True)
    )
