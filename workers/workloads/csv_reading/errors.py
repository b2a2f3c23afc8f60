"""Why a file cannot be read, in the words that its owner reads."""

from taskline import Rejected


class EmptyFile(Rejected):
    """This file is empty."""


class NoRows(Rejected):
    """This file has a header in row 1 and no rows below it."""


class NotText(Rejected):
    """This is not a text file, so it has no rows to read."""


class BadHeader(Rejected):
    """The header in row 1 cannot be used."""


class BadRow(Rejected):
    """One of the rows cannot be read."""


class TooWide(Rejected):
    """This file has too many columns."""
