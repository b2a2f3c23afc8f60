"""`@workload`, bare or with options, on `def` and `async def`, keeping the function's type."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from taskline.definition import Mode, Options, Value, Workload

P = ParamSpec("P")
R = TypeVar("R", bound=Value)


class Decorator(Protocol):
    """What `workload(…)` gives: takes a function, gives a workload of the same type."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Workload[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Workload[P, R]: ...


@overload
def workload(function: Callable[P, Coroutine[Any, Any, R]], /) -> Workload[P, Coroutine[Any, Any, R]]: ...
@overload
def workload(function: Callable[P, R], /) -> Workload[P, R]: ...
@overload
def workload(
    *,
    name: str | None = None,
    title: str | None = None,
    mode: Mode | None = None,
    timeout: timedelta | float = ...,
    expected: timedelta | float | None = None,
    memory_mib: int | None = None,
    disk_mib: int | None = None,
    processes: int | None = None,
    cpu: timedelta | float | None = None,
    retries: int = ...,
    retry_on: Sequence[str | type[BaseException]] = (),
    secrets: Sequence[str] = (),
    version: int = 1,
    aliases: Sequence[str] = (),
    warm: Callable[[], object] | None = None,
) -> Decorator: ...
def workload(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a workload of a function with a docstring and typed params.

    name, title: how it is called, and how people see it; from the function's name. mode: "loop" (`async def`), "process" (`def`: a child process of its own) or
    "thread" (`def` that mostly waits). timeout: seconds or a timedelta, one hour unless said. expected: how long it usually takes. memory_mib, disk_mib,
    processes, cpu: what its process and all that it starts may use together, of memory, of disk, at once, and of processor time (seconds or a timedelta).
    retries: how often it is tried again after `RetryLater`, after an exception that `retry_on` names, and after its process has died by itself. After the death
    of a whole worker it starts again even with 0; three of those end it. secrets: variables of the worker's environment that it may read. version: raise it when
    the params change. aliases: former names. warm: runs once in each new process, before its first task.

    Raises `DefinitionError` for what cannot be kept.
    """
    chosen = Options(**options)
    if function is not None:
        return Workload(function, chosen)

    def decorate(later: Callable[..., Any], /) -> Workload[..., Any]:
        return Workload(later, chosen)

    return decorate
