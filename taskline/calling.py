"""Calling a workload's function: checked arguments, and what an exception that it raises means. The same in every process, and in tests."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pydantic_core
from pydantic import ValidationError

from taskline.definition import Workload
from taskline.errors import Cancelled, Rejected, RetryLater, Stated
from taskline.files import File
from taskline.limits import LONGEST_MESSAGE
from taskline.plain import cut


class InvalidParams(Rejected):
    """Some of the input is not valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """What an exception means for the task. `after` in seconds; None leaves the delay to the service. `stated`: the workload's own words, no accident."""

    kind: Literal["rejected", "failed", "retry", "cancelled"]
    message: str = ""
    hint: str | None = None
    after: float | None = None
    stated: bool = False


def arguments(
    workload: Workload[..., Any], params: dict[str, Any], version: int, files: Mapping[str, File]
) -> dict[str, Any]:
    """The checked arguments of one call. Raises `Rejected`, naming each param that is wrong."""
    try:
        return workload.params.check(pydantic_core.to_json(workload.upgraded(params, version)), files)
    except ValidationError as error:
        said = [
            f"{'.'.join(str(part) for part in one['loc']) or 'input'}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidParams(
            f"{InvalidParams.__doc__} {'; '.join(said)}", hint="Start it again from its form."
        ) from None


def raised(error: BaseException, retry_on: tuple[str, ...]) -> Raised:
    """What it means that the function raised `error`. An exception's own methods may raise here."""
    match error:
        case RetryLater():
            return _stated("retry", error, error.after)
        case Rejected():
            return _stated("rejected", error)
        case Stated():
            return _stated("failed", error)
        case Cancelled():
            return Raised(kind="cancelled")
        # By its name: a child process that runs no coroutine need not load asyncio.
        case _ if _is_named(error, "asyncio.CancelledError"):
            return Raised(kind="cancelled")
        case SystemExit():
            message = f"The workload ended its process with sys.exit({error.code!r})"
        case MemoryError():
            message = "The task ran out of memory"
        case _:
            message = ": ".join(part for part in (type(error).__name__, _text(error)) if part)
    again = any(_is_named(error, name) for name in retry_on)
    return Raised(kind="retry" if again else "failed", message=cut(message, LONGEST_MESSAGE))


def _stated(kind: Literal["rejected", "failed", "retry"], error: Stated, after: float | None = None) -> Raised:
    hint = None if error.hint is None else cut(error.hint, LONGEST_MESSAGE)
    return Raised(kind=kind, message=cut(error.message, LONGEST_MESSAGE), hint=hint, after=after, stated=True)


def _is_named(error: BaseException, name: str) -> bool:
    """Whether `error` is of the class that `name` names: "httpx.TransportError", or a built-in one."""
    module, _, attribute = name.rpartition(".")
    # What was raised was imported: a name that is in no loaded module cannot be it.
    known = getattr(sys.modules.get(module or "builtins"), attribute, None)
    if isinstance(known, type) and isinstance(error, known):
        return True
    return any(f"{one.__module__}.{one.__qualname__}" == name for one in type(error).__mro__)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  an author's __str__ may do anything
        return ""
