"""Why nothing can be learned from a file, in the words that its owner reads."""

from taskline import Rejected


class NoTarget(Rejected):
    """This file has no such column to predict."""


class NotNumbers(Rejected):
    """Regression predicts numbers, and the target column holds something else."""


class OneClass(Rejected):
    """The target column holds one value alone, so there is nothing to tell apart."""


class TooManyClasses(Rejected):
    """The target column holds too many different values to tell apart."""


class RareClass(Rejected):
    """One of the target's values stands in fewer rows than there are folds."""


class TooFewRows(Rejected):
    """There are too few rows to learn from."""


class NoColumns(Rejected):
    """No column is left to learn from."""
