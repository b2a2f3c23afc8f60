"""Calling a workload's function: find it, check its params, and turn whatever it does into an ending. The same on the loop, in a thread and in a child."""

import importlib
import traceback
from typing import Any

from taskline import Workload
from taskline.calling import arguments, raised
from taskline.context import Context
from taskline.limits import LONGEST_MESSAGE
from taskline.outcome import result_of
from taskline.plain import clean, cut
from workers.wire import Ending, Offered, Succeeded, Unsuccessful

__all__ = ["arguments", "failure", "load", "success"]

_LONGEST_TRACE = 20_000  # characters


def load(target: str) -> Workload[..., Any]:
    """The workload at `module:attribute`. Raises what the import raises, and `TypeError` where there is none."""
    module, _, attribute = target.partition(":")
    found = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(found, Workload):
        raise TypeError(f"there is no workload at {target}")
    return found


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
    """The ending of a function that raised, whatever the exception is made of."""
    try:
        meant = raised(error, retry_on)
        return Unsuccessful(
            kind=meant.kind,
            message=meant.message,
            hint=meant.hint,
            after=meant.after,
            trace="" if meant.stated else _trace(error),
        )
    except Exception as other:  # noqa: BLE001  its own methods raise, or its hint is no text
        said = f"{type(error).__name__} (it cannot be shown: {type(other).__name__})"
        return Unsuccessful(kind="failed", message=cut(said, LONGEST_MESSAGE))


def _trace(error: BaseException) -> str:
    return clean("".join(traceback.format_exception(error))[-_LONGEST_TRACE:])
