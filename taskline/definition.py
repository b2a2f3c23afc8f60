"""A workload: a function with a name, typed params and the limits that it runs under."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, Literal, ParamSpec, TypeVar

from pydantic import BaseModel

from taskline.context import Context
from taskline.errors import DefinitionError, Rejected
from taskline.params import Params, params_of
from taskline.schema import schema_of

Mode = Literal["loop", "thread", "process"]
Value = None | bool | int | float | str | Mapping[str, Any] | Sequence[Any] | BaseModel

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_SECRET: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_SECONDS: Final = (0.001, 30 * 24 * 3600.0)  # the shortest and the longest time limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an author may say about a workload beside its function; see `workload`."""

    name: str | None = None
    title: str | None = None
    mode: Mode | None = None
    timeout: timedelta | float = timedelta(hours=1)
    expected: timedelta | float | None = None
    memory_mib: int | None = None
    disk_mib: int | None = None
    processes: int | None = None
    cpu: timedelta | float | None = None
    retries: int = 2
    retry_on: Sequence[str | type[BaseException]] = ()
    secrets: Sequence[str] = ()
    version: int = 1
    aliases: Sequence[str] = ()
    warm: Callable[[], object] | None = None


class Workload(Generic[P, R_co]):
    """A function that runs as a task. Calling it calls the function, as if it had not been decorated.

    Raises `DefinitionError` where the function or an option cannot be kept.
    """

    def __init__(self, function: Callable[P, R_co], options: Options) -> None:
        said = getattr(function, "__qualname__", repr(function))
        _refuse_callable(function, said)
        self.function = function
        self.name: str = options.name or str(getattr(function, "__name__", ""))
        self.title = options.title or self.name.replace("_", " ").replace("-", " ").capitalize()
        self.description = inspect.getdoc(function) or ""
        self.mode: Mode = options.mode or ("loop" if inspect.iscoroutinefunction(function) else "process")
        self.timeout_s = _seconds(said, "timeout", options.timeout)
        self.expected_s = None if options.expected is None else _seconds(said, "expected", options.expected)
        self.memory_mib = options.memory_mib
        self.disk_mib = options.disk_mib
        self.processes = options.processes
        self.cpu_s = None if options.cpu is None else _seconds(said, "cpu", options.cpu)
        self.max_attempts = options.retries + 1
        self.retry_on = tuple(_error_name(said, one) for one in _several(said, "retry_on", options.retry_on))
        self.secrets = _several(said, "secrets", options.secrets)
        self.version = options.version
        self.aliases = _several(said, "aliases", options.aliases)
        self.warm = options.warm
        self._upgrades: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self._refuse_options(said)
        self.params: Params = params_of(function, said)
        self.schema: dict[str, Any] = schema_of(self.params.model, name=said, title=self.title)
        self.__doc__ = function.__doc__
        self.__name__ = self.name
        self.__module__ = function.__module__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<workload {self.name} {self.version}>"

    def call(self, context: Context, arguments: Mapping[str, Any]) -> R_co:
        """Call the function with checked arguments, and with the context where it takes one."""
        function: Callable[..., R_co] = self.function
        return (
            function(**arguments)
            if self.params.context is None
            else function(**{self.params.context: context}, **arguments)
        )

    def upgrade(
        self, version: int
    ) -> Callable[[Callable[[dict[str, Any]], dict[str, Any]]], Callable[[dict[str, Any]], dict[str, Any]]]:
        """Decorate a function that turns the params of `version` into those of the next one, so that tasks accepted before a release still run after it."""
        if not 1 <= version < self.version:
            raise DefinitionError(f"{self.name}: upgrade({version}) is not from a version before {self.version}")

        def keep(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
            self._upgrades[version] = change
            return change

        return keep

    def upgraded(self, params: dict[str, Any], version: int) -> dict[str, Any]:
        """The params of a task that was accepted with `version`, as this version takes them. Raises `OldVersion` where no upgrade says how."""
        for step in range(version, self.version):
            if step not in self._upgrades:
                raise OldVersion(hint="Start it again from its form.")
            params = self._upgrades[step](dict(params))
        return params

    def _limits(self) -> list[str]:
        """The names of the limits that it sets for its process."""
        limits = {
            "memory_mib": self.memory_mib,
            "disk_mib": self.disk_mib,
            "processes": self.processes,
            "cpu": self.cpu_s,
        }
        return [name for name, value in limits.items() if value is not None]

    def _refuse_options(self, said: str) -> None:
        plain = not inspect.iscoroutinefunction(self.function)
        refusals = {
            "it needs a docstring: people read it to know what the workload does": not self.description.strip(),
            f"its name {self.name!r} is not lower-case letters, digits, '_', '-' and '.', starting with a letter, at most 64": not _NAME.fullmatch(
                self.name
            ),
            f"there is no mode {self.mode!r}": self.mode not in ("loop", "thread", "process"),
            "a plain def would block the loop: make it `async def`, or leave the mode out": self.mode == "loop"
            and plain,
            "an `async def` runs on the loop, not in a thread or process": self.mode != "loop" and not plain,
            **{f"{name} can be kept only in a process": self.mode != "process" for name in self._limits()},
            "memory_mib is at least 64": self.memory_mib is not None and self.memory_mib < 64,
            "disk_mib is at least 1": self.disk_mib is not None and self.disk_mib < 1,
            "processes is at least 1": self.processes is not None and self.processes < 1,
            "warm runs only in a process": self.warm is not None and self.mode != "process",
            "retries cannot be negative": self.max_attempts < 1,
            "version starts at 1": self.version < 1,
            "a secret is named like an environment variable, and TASKLINE_* is the service's own": any(
                not _SECRET.fullmatch(secret) or secret.startswith("TASKLINE_") for secret in self.secrets
            ),
            "an alias is written like a name": any(not _NAME.fullmatch(alias) for alias in self.aliases),
        }
        for reason, holds in refusals.items():
            if holds:
                raise DefinitionError(f"{said}: {reason}")


class OldVersion(Rejected):
    """This task was made for an older version of its workload."""


def _refuse_callable(function: Any, said: str) -> None:
    if inspect.isclass(function):
        raise DefinitionError(f"{said} is a class: decorate a bound method, workload(name=…)({said}().run)")
    if not callable(function) or not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise DefinitionError(f"{said} is not a function or a bound method")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"{said} is a generator: report with ctx, and return the result")


def _seconds(said: str, option: str, value: timedelta | float) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not _SECONDS[0] <= seconds <= _SECONDS[1]:
        raise DefinitionError(f"{said}: {option} is between a millisecond and 30 days")
    return seconds


def _several(said: str, option: str, values: Iterable[Any]) -> tuple[Any, ...]:
    # A single text is a sequence too, of letters: ("TOKEN") without its comma.
    if isinstance(values, str):
        raise DefinitionError(f"{said}: {option} takes several, ({values!r},)")
    return tuple(values)


def _error_name(said: str, error: str | type[BaseException]) -> str:
    if isinstance(error, type) and issubclass(error, Exception):
        return error.__qualname__ if error.__module__ == "builtins" else f"{error.__module__}.{error.__qualname__}"
    if isinstance(error, str) and all(part.isidentifier() for part in error.split(".")):
        return error
    raise DefinitionError(f'{said}: retry_on takes exceptions or their names, "httpx.TransportError"; not {error!r}')
