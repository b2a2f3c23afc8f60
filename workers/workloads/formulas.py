"""What a spreadsheet would run as a formula, and how a CSV file says the same as a text."""

from typing import Final

BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r")


def defused(text: str) -> str:
    """`text` with an apostrophe before it where it could be a formula."""
    return f"'{text}" if text.startswith(BEGINNINGS) else text
