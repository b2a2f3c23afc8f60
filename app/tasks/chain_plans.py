"""What follows on the success of a task, as it is written down: a workload and its params, which may refer to what the first task has made. Pure.

A plan is JSON: `{"workload", "params", "name"?, "priority"?, "then"?}`. In its params `{"$artifact": "clean.csv"}`, for a file, stands for an artifact of
the task before, and `{"$value": "totals.rows"}` for a part of the value that it returned; `{"$value": ""}` for all of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.errors import Refused
from taskline.checking import file_params

ARTIFACT: Final = "$artifact"
VALUE: Final = "$value"
MOST_LINKS: Final = 10

Plan = Mapping[str, Any]


class NotMade(Refused):
    """The task before has not made what this one is to start with."""


def links(plan: Plan | None) -> Iterator[Plan]:
    """The plan, what follows on it, what follows on that …"""
    while plan is not None:
        yield plan
        plan = plan.get("then")


def artifact_of(value: Any) -> str | None:
    """The name of the artifact that `value` stands for."""
    return value[ARTIFACT] if isinstance(value, Mapping) and value.keys() == {ARTIFACT} else None


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    """The params that refer to nothing: what can be checked before there is anything to refer to."""
    return {name: value for name, value in params.items() if not _refers(value)}


def misused(params: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    """References that can never work, by param."""
    files = file_params(schema)
    found = {}
    for name, value in params.items():
        artifact = artifact_of(value)
        if artifact is not None and name not in files:
            found[name] = f"takes no {ARTIFACT}: it is not a file"
        elif any(not isinstance(one, str) or (ARTIFACT in at and at != (ARTIFACT,)) for at, one in _references(value)):
            found[name] = f"takes {{{ARTIFACT}: a name}} by itself, or {{{VALUE}: a path}}"
    return found


def with_values(value: Any, result: Any) -> Any:
    """`value` with what it refers to of `result`, the value that the task before returned. Raises `NotMade`."""
    match value:
        case {"$value": str(path)} if len(value) == 1:
            return _part(result, path)
        case Mapping():
            return {name: with_values(part, result) for name, part in value.items()}
        case list():
            return [with_values(part, result) for part in value]
        case _:
            return value


def _part(result: Any, path: str) -> Any:
    part = result
    for step in path.split(".") if path else ():
        if isinstance(part, Mapping) and step in part:
            part = part[step]
        elif isinstance(part, list) and step.isdecimal() and len(step) < 10 and int(step) < len(part):
            part = part[int(step)]
        else:
            raise NotMade(f"The value of the task before has no “{path}”.")
    return part


def _refers(value: Any) -> bool:
    return any(True for _ in _references(value))


def _references(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Where something is referred to, and how."""
    match value:
        case Mapping():
            for name, part in value.items():
                if len(value) == 1 and name in (ARTIFACT, VALUE):
                    yield (*at, name), part
                else:
                    yield from _references(part, (*at, name))
        case list():
            for part in value:
                yield from _references(part, (*at, ""))
        case _:
            return
