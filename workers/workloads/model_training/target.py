"""The column to predict: what kind of task it makes, and whether it can be learned at all."""

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal

from workers.workloads.model_training.errors import (
    NoTarget,
    NotNumbers,
    OneClass,
    RareClass,
    TooFewRows,
    TooManyClasses,
)
from workers.workloads.model_training.forms import Form, find_form
from workers.workloads.model_training.reading import Cells, Sheet
from workers.workloads.wording import many

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["classification", "regression"]

FEWEST_ROWS: Final = 20
MOST_CLASSES: Final = 50
MOST_LABELS: Final = 20  # different whole numbers that are taken for classes


@dataclass(frozen=True, slots=True)
class Target:
    """What is predicted: `values` are floats of a regression, whole numbers or texts of a classification; `classes` in their order, empty of a regression.

    `form` is how the numbers are written, None of texts.
    """

    name: str
    task: Task
    values: "NDArray[Any]"
    classes: list[str]
    form: Form | None

    @property
    def whole(self) -> bool:
        """Whether the classes are whole numbers."""
        return self.task == "classification" and self.form is not None


def find_target(sheet: Sheet, asked: str) -> str:
    """The column's name in the file; upper and lower case are the same where that is clear. Raises `NoTarget`."""
    wanted = asked.strip()
    if wanted in sheet.names:
        return wanted
    alike = [name for name in sheet.names if name.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return alike[0]
    close = get_close_matches(wanted, sheet.names, n=1)
    listed = ", ".join(f"“{name}”" for name in sheet.names[:20])
    hint = f"Did you mean “{close[0]}”? The columns are {listed}" if close else f"The columns are {listed}"
    raise NoTarget(
        f"This file has no column “{wanted[:60]}”.",
        hint=f"{hint}{' and more' * (len(sheet.names) > 20)}.",
    )


def with_target(sheet: Sheet, name: str) -> Sheet:
    """The rows in which the target is known. Raises `TooFewRows`."""
    keep = [value is not None for value in sheet.columns[sheet.names.index(name)]]
    if sum(keep) < FEWEST_ROWS:
        without = f", {len(keep) - sum(keep):,} more without" if not all(keep) else ""
        raise TooFewRows(
            f"There are {sum(keep):,} rows with a value in “{name}”{without}; it takes {FEWEST_ROWS} at least.",
            hint="Add rows.",
        )
    return sheet if all(keep) else sheet.kept(keep)


def target_of(sheet: Sheet, name: str, asked: Literal["auto"] | Task, folds: int) -> Target:
    """The target's values; whether they are classes or numbers is found out where it is not said. Of `with_target`'s rows.

    Raises `NotNumbers`, `OneClass`, `TooManyClasses` or `RareClass`.
    """
    import numpy as np

    cells = sheet.columns[sheet.names.index(name)]
    form = find_form(value for value in cells if value is not None)
    numbers = [form.number(str(value)) for value in cells] if form is not None and form.kind == "number" else None
    task = _task(numbers) if asked == "auto" else asked
    if len(set(cells)) == 1:
        raise OneClass(f"Every row holds “{cells[0]}” in “{name}”, so there is nothing to predict.")
    if task == "regression":
        if numbers is None:
            raise _not_numbers(sheet, name, cells, form)
        if len(set(numbers)) == 1:
            raise OneClass(f"Every row holds “{cells[0]}” in “{name}”, so there is nothing to predict.")
        return Target(name, task, np.array(numbers, dtype=float), [], form)
    whole = numbers is not None and all(value.is_integer() and abs(value) < 2**53 for value in numbers)
    values = np.array([int(value) for value in numbers] if whole and numbers else [str(value) for value in cells])
    counts = Counter(values.tolist())
    _check_classes(name, counts, folds)
    return Target(name, task, values, [str(one) for one in sorted(counts)], form if whole else None)


def _task(numbers: list[float] | None) -> Task:
    if numbers is None:
        return "classification"
    few_labels = len(set(numbers)) <= MOST_LABELS and all(value.is_integer() for value in numbers)
    return "classification" if few_labels else "regression"


def _not_numbers(sheet: Sheet, name: str, cells: Cells, form: Form | None) -> NotNumbers:
    at = next((place for place, value in enumerate(cells) if form or find_form([str(value)]) is None), 0)
    return NotNumbers(
        f"Regression predicts numbers, and row {sheet.places[at]:,} holds “{cells[at]}” in “{name}”.",
        hint="Choose classification, or another target.",
    )


def _check_classes(name: str, counts: Counter[Any], folds: int) -> None:
    if len(counts) == 1:
        raise OneClass(f"Every row holds “{next(iter(counts))}” in “{name}”, so there is nothing to predict.")
    if len(counts) > MOST_CLASSES:
        raise TooManyClasses(
            f"“{name}” holds {len(counts):,} different values; {MOST_CLASSES} can be told apart at most.",
            hint="Choose regression if they are quantities, or a target of fewer values.",
        )
    rarest, rows = min(counts.items(), key=lambda one: one[1])
    if rows < folds:
        less = f"Choose {rows} folds, add" if rows > 1 else "Add"
        raise RareClass(
            f"“{rarest}” stands in {many(rows, 'row')} of “{name}”, and each of the {folds} folds needs one.",
            hint=f"{less} rows of it, or take it out or together with another value.",
        )
