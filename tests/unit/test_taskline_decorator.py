"""What may be a workload, and what is refused when its module is imported."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_type

import pytest

from taskline import Context, DefinitionError, workload


@workload
def bare(ctx: Context, seconds: int = 10) -> str:
    """Count.

    With a second paragraph.
    """
    return f"{seconds}"


@workload(
    name="with-options",
    title="With options",
    version=2,
    retries=0,
    timeout=90,
    expected=timedelta(minutes=1),
    retry_on=(ConnectionError, "httpx.TransportError"),
)
def optioned(text: str) -> dict[str, int]:
    """Measure."""
    return {"length": len(text)}


@workload
async def asynchronous(count: int) -> list[dict[str, int]]:
    """Wait."""
    return [{"count": count}]


class Model:
    """Holds what is loaded once."""

    def load(self) -> None:
        self.factor = 2

    def run(self, ctx: Context, number: int) -> int:
        """Multiply."""
        return number * self.factor


model = Model()
bound = workload(name="model", warm=model.load)(model.run)

if TYPE_CHECKING:

    async def typed(ctx: Context) -> None:
        """For the type checker alone: a decorated function keeps its type, and takes no wrong argument."""
        assert_type(bare(ctx, seconds=3), str)
        assert_type(optioned("abc"), dict[str, int])
        assert_type(await asynchronous(2), list[dict[str, int]])
        assert_type(bound(ctx, 3), int)
        bare(ctx, seconds="3")  # type: ignore[arg-type]
        optioned()  # type: ignore[call-arg]

        @workload  # type: ignore[arg-type]
        def returns_what_no_result_can_be() -> object:
            """Refused by its type."""


def test_a_bare_workload_takes_everything_from_its_function() -> None:
    assert (bare.name, bare.title, bare.mode, bare.version, bare.max_attempts, bare.timeout_s) == (
        "bare",
        "Bare",
        "process",
        1,
        3,
        3600.0,
    )
    assert bare.description == "Count.\n\nWith a second paragraph."
    assert bare.params.context == "ctx"
    assert list(bare.schema["properties"]) == ["seconds"]


def test_options_are_kept() -> None:
    assert (optioned.name, optioned.title, optioned.version, optioned.max_attempts) == (
        "with-options",
        "With options",
        2,
        1,
    )
    assert (optioned.timeout_s, optioned.expected_s) == (90.0, 60.0)
    assert optioned.retry_on == ("ConnectionError", "httpx.TransportError")


def test_a_workload_is_called_like_its_function() -> None:
    assert optioned("abc") == {"length": 3}
    assert asyncio.run(asynchronous(count=2)) == [{"count": 2}]
    assert asynchronous.mode == "loop"


def test_a_bound_method_is_a_workload_and_its_class_is_not() -> None:
    model.load()
    assert bound.params.context == "ctx"
    assert bound.function(None, 4) == 8  # type: ignore[arg-type]
    refuse(lambda: workload(Model), "is a class: decorate a bound method")  # type: ignore[arg-type]


def untyped(text) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Untyped."""


def variadic(*texts: str) -> None:
    """Takes many."""


def keywords(**texts: str) -> None:
    """Takes any."""


def anything(value: Any) -> None:
    """Takes anything."""


def nested_any(values: list[Any]) -> None:
    """Takes anything inside."""


def positional(value: int, /) -> None:
    """By place."""


def not_optional(value: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
    """None is no int."""


def two_contexts(one: Context, other: Context) -> None:
    """Twice."""


def no_schema(value: Callable[[], int]) -> None:
    """Takes a function."""


def reserved(model_config: int) -> None:
    """Pydantic's own name."""


def unknown(value: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Its type is not there."""


def generator() -> Sequence[int]:  # type: ignore[misc]
    """Yields."""
    yield 1


def no_docstring() -> None:
    pass


def plain() -> None:
    """Fine."""


async def awaited() -> None:
    """Fine, asynchronous."""


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (untyped, "text has no type"),
        (variadic, r"\*texts: str takes anything; name each param"),
        (keywords, r"\*\*texts: str takes anything; name each param"),
        (anything, "value is Any; say what it takes"),
        (nested_any, "values is Any; say what it takes"),
        (positional, "value is positional-only"),
        (not_optional, "the default of value, None, does not fit its type"),
        (two_contexts, "one and other are both a Context"),
        (no_schema, "no_schema: "),
        (reserved, "no param can be called model_config"),
        (unknown, "an annotation cannot be read"),
        (generator, "is a generator"),
        (no_docstring, "needs a docstring"),
        (3, "is not a function"),
        (print, "is not a function"),
    ],
)
def test_an_unclear_function_is_refused(function: Any, reason: str) -> None:
    refuse(lambda: workload(function), reason)


@pytest.mark.parametrize(
    ("function", "options", "reason"),
    [
        (plain, {"mode": "loop"}, "would block the loop"),
        (awaited, {"mode": "thread"}, "runs on the loop"),
        (awaited, {"mode": "process"}, "runs on the loop"),
        (plain, {"mode": "fork"}, "no mode 'fork'"),
        (awaited, {"memory_mib": 512}, "memory_mib can be kept only in a process"),
        (plain, {"mode": "thread", "memory_mib": 512}, "memory_mib can be kept only in a process"),
        (plain, {"memory_mib": 8}, "at least 64"),
        (awaited, {"disk_mib": 512}, "disk_mib can be kept only in a process"),
        (awaited, {"processes": 2}, "processes can be kept only in a process"),
        (plain, {"mode": "thread", "cpu": 2}, "cpu can be kept only in a process"),
        (plain, {"disk_mib": 0}, "disk_mib is at least 1"),
        (plain, {"processes": 0}, "processes is at least 1"),
        (plain, {"cpu": 0}, "cpu is between"),
        (awaited, {"warm": print}, "warm runs only in a process"),
        (plain, {"name": "Bad Name"}, "is not lower-case"),
        (plain, {"aliases": ("Bad",)}, "alias"),
        (plain, {"aliases": "old"}, "takes several"),
        (plain, {"retries": -1}, "retries cannot be negative"),
        (plain, {"version": 0}, "version starts at 1"),
        (plain, {"timeout": 0}, "timeout is between"),
        (plain, {"timeout": timedelta(days=31)}, "timeout is between"),
        (plain, {"secrets": ("token",)}, "named like an environment variable"),
        (plain, {"secrets": ("TASKLINE_SECRET_KEY",)}, "the service's own"),
        (plain, {"secrets": "TOKEN"}, "takes several"),
        (plain, {"retry_on": ("not a name",)}, "takes exceptions or their names"),
        (plain, {"retry_on": (KeyboardInterrupt,)}, "takes exceptions or their names"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(function: Any, options: dict[str, Any], reason: str) -> None:
    refuse(lambda: workload(**options)(function), reason)


def test_upgrades_go_step_by_step_and_only_from_older_versions() -> None:
    @workload(version=3)
    def grown(length: int) -> None:
        """Has grown."""

    grown.upgrade(1)(lambda params: {"long": params["l"]})
    grown.upgrade(2)(lambda params: {"length": params["long"]})
    assert grown.upgraded({"l": 3}, 1) == {"length": 3}
    assert grown.upgraded({"length": 3}, 3) == {"length": 3}
    refuse(lambda: grown.upgrade(3), "is not from a version before 3")


def refuse(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(DefinitionError, match=reason):
        make()
