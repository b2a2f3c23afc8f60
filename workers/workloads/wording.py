"""Says counts and names in the words of a built-in workload's result."""

from typing import Final

_SIGNS: Final = "\\`*_{}[]<>#|!&~"  # that Markdown may take for its own


def many(count: int, noun: str) -> str:
    """The count with its noun: "1 row", "2,000 rows"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def as_markdown(text: str) -> str:
    """`text` as one line of Markdown that shows it as it is, in a table too: names out of a file may hold anything."""
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in " ".join(text.split()))
