"""What can go wrong, in the user's words: a class's docstring is the sentence that people read.

HTTP status codes are decided in `app.web.errors` alone.
"""

from collections.abc import Mapping


class TasklineError(Exception):
    """Something went wrong."""

    def __init__(
        self, detail: str | None = None, *, hint: str | None = None, fields: Mapping[str, str] | None = None
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.hint = hint
        self.fields = dict(fields or {})
        super().__init__(self.detail)

    @property
    def reason(self) -> str:
        """Why, in one line: the fields that are wrong, or else the detail."""
        return "; ".join(f"{name} {text}" for name, text in self.fields.items()) or self.detail


class NotFound(TasklineError):
    """There is nothing here, or it is not yours."""


class Expired(NotFound):
    """This file has expired and is gone."""


class Unauthenticated(TasklineError):
    """Sign in first."""


class Forbidden(TasklineError):
    """This request came from another site, so it was not carried out."""


class Refused(TasklineError):
    """This cannot be done."""


class Conflict(Refused):
    """The task's state does not allow this."""


class Invalid(Refused):
    """Some of the input is not valid; each field that is wrong says why."""


class Unstorable(Invalid):
    """Some of the input cannot be stored: a NUL character, or a number that is too large."""


class TooMany(Refused):
    """Too many tries; wait a little."""

    def __init__(self, detail: str | None = None, *, retry_after: float, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after = retry_after  # seconds


class TooLarge(Refused):
    """This is larger than the service takes."""


class WrongMediaType(Refused):
    """The body has a media type that is not taken here."""


class Unavailable(TasklineError):
    """A part of the service does not answer; nothing was lost, try again."""


class Stopping(Unavailable):
    """The service restarts and did not wait for this request to end; send it again."""


class OutOfDate(Unavailable):
    """The database schema is not the one this version needs; run `taskline migrate`."""
