"""Finding workloads by name, with a word for those that are not there."""

import difflib
from collections.abc import Iterable

from app.errors import NotFound
from workers.description import Catalogue


class NoWorkload(NotFound):
    """There is no such workload here."""


def chosen(catalogue: Catalogue, names: Iterable[str]) -> Catalogue:
    """The catalogue with these workloads alone. Raises `NoWorkload`."""
    try:
        return catalogue.only(names)
    except KeyError as error:
        name = str(error.args[0])
        close = difflib.get_close_matches(name, catalogue.workloads, n=1)
        known = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(sorted(catalogue.workloads))}."
        left_out = "".join(f"\nLeft out: {one.source}: {one.reason}." for one in catalogue.skipped)
        raise NoWorkload(f"There is no workload {name} here.", hint=known + left_out) from None
