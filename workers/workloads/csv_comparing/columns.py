"""The columns of two files side by side: by their names, wherever they stand."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from taskline import Rejected
from workers.workloads.csv_reading.kinds import Kind, find_kind
from workers.workloads.csv_reading.sheet import MISSING, Sheet, column

_NO_VALUE: Final = ", ".join(f"'{one}'" for one in MISSING)


class NoSuchColumn(Rejected):
    """A column that was asked for is not in both files."""


class NothingShared(Rejected):
    """The two files have no column in common."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A column that both files have. `by_value`: its values are compared by what they mean, since both kinds are of one family."""

    name: str
    before: int  # its place, from 0
    after: int
    kind_before: Kind
    kind_after: Kind
    by_value: bool

    def before_value(self, text: str) -> str:
        """SQL of what is compared of the text, itself an SQL expression, of the first file."""
        return self._value(text, self.kind_before)

    def after_value(self, text: str) -> str:
        """The same for the second file."""
        return self._value(text, self.kind_after)

    def _value(self, text: str, kind: Kind) -> str:
        if not self.by_value:
            return text
        exact = self.kind_before.whole and self.kind_after.whole
        plain = f"CAST({kind.value(text)} AS DOUBLE)" if kind.family == "number" and not exact else kind.value(text)
        return f"coalesce(CAST({plain} AS VARCHAR), {text})"


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns of both files: `shared` in the order of the first one, of which `compared` leaves out those to ignore."""

    shared: tuple[Pair, ...]
    compared: tuple[Pair, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def named(self, names: Sequence[str]) -> tuple[Pair, ...]:
        """The shared columns of these names. Raises `NoSuchColumn` for one that is not among them."""
        known = {pair.name: pair for pair in self.shared}
        for name in names:
            if name not in known:
                where = (
                    "only in the file before"
                    if name in self.removed
                    else "only in the file after"
                    if name in self.added
                    else "in neither file"
                )
                listed = ", ".join(f"“{pair.name}”" for pair in self.shared[:8])
                more = "…" if len(self.shared) > 8 else ""
                raise NoSuchColumn(f"The column “{name}” is {where}.", hint=f"Both files have: {listed}{more}")
        return tuple(known[name] for name in dict.fromkeys(names))


def pair_columns(before: Sheet, after: Sheet, *, ignored: Sequence[str], by_value: bool) -> Columns:
    """Put the columns side by side and find out what each holds. Raises `NothingShared` or `NoSuchColumn`."""
    places = {name: place for place, name in enumerate(after.dialect.names)}
    shared = tuple(
        _pair(name, before, place, after, places[name], by_value=by_value)
        for place, name in enumerate(before.dialect.names)
        if name in places
    )
    if not shared:
        raise NothingShared(
            hint=f"The one begins with “{before.dialect.names[0]}”, the other with “{after.dialect.names[0]}”."
        )
    every = Columns(
        shared=shared,
        compared=shared,
        removed=tuple(name for name in before.dialect.names if name not in places),
        added=tuple(name for name in after.dialect.names if name not in set(before.dialect.names)),
    )
    apart = {*every.removed, *every.added}  # these are not compared anyway
    left_out = set(every.named([name for name in ignored if name not in apart]))
    return Columns(shared, tuple(pair for pair in shared if pair not in left_out), every.removed, every.added)


def listed(text: str) -> list[str]:
    """The names in "id, street", as in a row of a CSV file: a name with a comma stands in quotation marks."""
    rows = list(csv.reader(text.splitlines(), skipinitialspace=True))
    return [name.strip() for row in rows for name in row if name.strip()]


def beside(names: Sequence[str], own: Sequence[str]) -> list[str]:
    """A file's names for columns that stand beside others of our `own`."""
    return [f"{name} (column)" if name in own else name for name in names]


def _pair(name: str, before: Sheet, place: int, after: Sheet, other: int, *, by_value: bool) -> Pair:
    kinds = _kind(before, place), _kind(after, other)
    alike = kinds[0].family == kinds[1].family and kinds[0].family in ("number", "time", "truth")
    return Pair(name, place, other, *kinds, by_value=by_value and alike)


def _kind(sheet: Sheet, place: int) -> Kind:
    known = f"CASE WHEN {column(place)} NOT IN ({_NO_VALUE}) THEN {column(place)} END"
    return find_kind(sheet.connection, sheet.table(place), known)
