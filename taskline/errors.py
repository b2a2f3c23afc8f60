"""How a workload says that it did not succeed. A class's docstring is the sentence that people read, unless a message is given."""

import inspect
from datetime import timedelta


class Stated(Exception):
    """The task could not be done."""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        said = message or inspect.getdoc(type(self)) or ""
        self.message = " ".join(said.split())
        self.hint = hint
        super().__init__(self.message)


class Rejected(Stated):
    """The input cannot be used."""


class Fail(Stated):
    """The task failed."""


class RetryLater(Stated):
    """The task could not be done now and is tried again."""

    def __init__(
        self, message: str | None = None, *, after: float | timedelta | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.after = (
            after.total_seconds() if isinstance(after, timedelta) else after
        )  # seconds; None: the service's backoff


class Cancelled(BaseException):
    """Raised inside a workload whose task was cancelled or is over its time; no `Exception`, so that `except Exception` lets it pass."""


class DefinitionError(TypeError):
    """A workload is written in a way that cannot be kept; raised when its module is imported."""
