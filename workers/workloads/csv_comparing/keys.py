"""Which columns say that two rows are of the same thing."""

import re
from typing import Final

from workers.workloads.csv_comparing.columns import Columns, Pair
from workers.workloads.csv_reading.database import one_row
from workers.workloads.csv_reading.sheet import Sheet, column

_LIKELY: Final = re.compile(
    r"(^|[^a-z])(id|key|code|uuid|guid|sku|isbn|iban|e-?mail|number|no|nr)([^a-z]|$)|[a-z]Id$", re.IGNORECASE
)
_SAMPLE: Final = 10_000  # rows in which a column has to be unique before all rows are asked
_MOST_TRIED: Final = 5


def find_key(before: Sheet, after: Sheet, columns: Columns) -> Pair | None:
    """The column whose values are all there and different, in both files, and the most in common; None where there is none that half of the smaller file shares."""
    fit = [
        pair
        for pair in columns.compared
        if _whole(pair) and _unique(before, pair.before, sample=True) and _unique(after, pair.after, sample=True)
    ]
    likely = sorted(fit, key=lambda pair: _LIKELY.search(pair.name) is None)[:_MOST_TRIED]
    best: tuple[int, Pair] | None = None
    for pair in likely:
        if _unique(before, pair.before) and _unique(after, pair.after):
            shared = _shared(before, after, pair)
            if best is None or shared > best[0]:
                best = shared, pair
    if best is None or best[0] * 2 < min(before.rows, after.rows):
        return None
    return best[1]


def _whole(pair: Pair) -> bool:
    """No measurements: two rows that weigh the same are not the same thing."""
    return all(kind.family == "text" or kind.whole for kind in (pair.kind_before, pair.kind_after))


def _unique(sheet: Sheet, place: int, *, sample: bool = False) -> bool:
    source = f"(SELECT {column(place)} FROM {sheet.table(place)} LIMIT {_SAMPLE})" if sample else sheet.table(place)
    rows, filled, distinct = one_row(
        sheet.connection, f"SELECT count(*), count({column(place)}), count(DISTINCT {column(place)}) FROM {source}"
    )
    return bool(rows == filled == distinct)


def _shared(before: Sheet, after: Sheet, pair: Pair) -> int:
    one, other = pair.before_value(column(pair.before)), pair.after_value(column(pair.after))
    (many,) = one_row(
        before.connection,
        f"SELECT count(*) FROM (SELECT {one} AS v FROM {before.table(pair.before)}) SEMI JOIN (SELECT {other} AS v FROM {after.table(pair.after)}) USING (v)",
    )
    return int(many)
