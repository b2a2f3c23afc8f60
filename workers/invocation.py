"""Calling a workload's function: find it, check its params, and turn whatever it does into an ending. The same on the loop, in a thread and in a child."""

import asyncio
import importlib
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import pydantic_core
from pydantic import ValidationError

from taskline import Cancelled, File, Rejected, RetryLater, Workload
from taskline.context import Context
from taskline.errors import Stated
from taskline.limits import LONGEST_MESSAGE
from taskline.outcome import result_of
from taskline.plain import cut
from workers.wire import Ending, Offered, Succeeded, Unsuccessful

_LONGEST_TRACE = 20_000  # characters


class InvalidParams(Rejected):
    """Some of the input is not valid."""


def load(target: str) -> Workload[..., Any]:
    """The workload at `module:attribute`. Raises what the import raises, and `TypeError` where there is none."""
    module, _, attribute = target.partition(":")
    found = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(found, Workload):
        raise TypeError(f"there is no workload at {target}")
    return found


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


def success(context: Context, returned: Any) -> Ending:
    """The ending of a function that returned."""
    cuts: list[str] = []
    result = result_of(returned, context.gathered.blocks, cuts)
    for said in cuts:
        context.log(said, level="warning")
    return Succeeded(
        result=result,
        offers=[Offered(name=one.name, media_type=one.media_type, path=one.path) for one in context.gathered.offers],
    )


def failure(error: BaseException, retry_on: tuple[str, ...]) -> Unsuccessful:
    """The ending of a function that raised."""
    match error:
        case RetryLater():
            return _stated("retry", error, after=error.after)
        case Rejected():
            return _stated("rejected", error)
        case Stated():
            return _stated("failed", error)
        case Cancelled() | asyncio.CancelledError():
            return Unsuccessful(kind="cancelled", trace=_trace(error))
        case SystemExit():
            message = f"The workload ended its process with sys.exit({error.code!r})"
        case MemoryError():
            message = "The task ran out of memory"
        case _:
            message = ": ".join(part for part in (type(error).__name__, _text(error)) if part)
    again = any(_is_named(error, name) for name in retry_on)
    return Unsuccessful(kind="retry" if again else "failed", message=cut(message, LONGEST_MESSAGE), trace=_trace(error))


def _stated(kind: Any, error: Stated, *, after: float | None = None) -> Unsuccessful:
    hint = None if error.hint is None else cut(error.hint, LONGEST_MESSAGE)
    return Unsuccessful(kind=kind, message=cut(error.message, LONGEST_MESSAGE), hint=hint, after=after)


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


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-_LONGEST_TRACE:]
