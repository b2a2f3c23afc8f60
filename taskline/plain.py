"""Any value as plain JSON values: NaN and infinities are null, what JSON does not know is its text."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pydantic_core

from taskline import limits

# NUL, and halves of characters: `os.listdir` gives them for names that are not UTF-8.
_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")


def plain(value: Any) -> Any:
    """`value` as JSON values. Models, dataclasses, dates, UUIDs, bytes (base64) and numbers of other libraries are understood; anything else becomes `str(value)`.

    >>> plain({"a": float("nan"), "b": {1}})
    {'a': None, 'b': [1]}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    try:
        text = _json(value)
    except pydantic_core.PydanticSerializationError:
        text = _json(_clean_inside(value))
    known = json.loads(text)
    return _clean_inside(known) if b"\\u0000" in text else known


def cell(value: Any) -> tuple[bool | int | float | str | None, bool]:
    """A table's cell, and whether it was cut."""
    if isinstance(value, bool | int) or value is None:
        return value, False
    known = plain(value)
    text = known if isinstance(known, str) else json.dumps(known) if isinstance(known, list | dict) else None
    if text is None:
        return known, False
    return cut(text, limits.LONGEST_CELL), len(text) > limits.LONGEST_CELL


def number(value: Any) -> int | float | None:
    """A chart's value; None for what is missing or not finite. Raises `TypeError` for what is no number."""
    if value is None or isinstance(value, bool):
        return None if value is None else int(value)
    if not isinstance(value, int | float):
        if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
            raise TypeError(f"{value!r} is not a number")
        value = float(value)
    return value if math.isfinite(value) else None


def label(value: Any) -> int | float | str | None:
    """A place on a chart's x axis: a number where it is one, else text."""
    try:
        return number(value)
    except TypeError:
        return cut(str(plain(value)), limits.LONGEST_NAME)


def clean(text: str) -> str:
    """`text` with a replacement character for each NUL and each half of a character, which neither JSON nor databases take."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def cut(text: str, most: int) -> str:
    """`text`, clean, of at most `most` characters, ending in an ellipsis where some are gone."""
    return clean(text if len(text) <= most else f"{text[: most - 1]}…")


def one_line(text: str) -> str:
    """The first line that says something, as a summary."""
    return cut(next((" ".join(line.split()) for line in text.splitlines() if line.strip()), ""), limits.LONGEST_SUMMARY)


def thin(points: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def _json(value: Any) -> bytes:
    return pydantic_core.to_json(value, inf_nan_mode="null", bytes_mode="base64", fallback=_other)


def _clean_inside(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {_clean_inside(key): _clean_inside(part) for key, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean_inside(part) for part in value]
    return value


def _other(value: Any) -> Any:
    # A scalar of numpy, polars or torch knows the Python value that it stands for.
    item = getattr(value, "item", None)
    try:
        return item() if callable(item) else str(value)
    except (TypeError, ValueError):
        return str(value)
