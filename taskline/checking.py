"""Checking params against a workload's schema, as the service does before it accepts a task. Custom validators run later, in the worker."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema_rs

from taskline.files import FILE_FORMAT

MASK: Final = "this"  # in place of the value: it may be long, and whoever sent it knows it


def validator_of(schema: Mapping[str, Any]) -> Any:
    """The compiled schema, for `problems_of`."""
    return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, mask=MASK)


def problems_of(validator: Any, params: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong by the schema, by the name of the param; empty where all is well."""
    if validator.is_valid(params):
        return {}
    return dict(problem for error in validator.iter_errors(params) for problem in _problems(error))


def file_params(schema: Mapping[str, Any]) -> list[str]:
    """The names of the params that take a file's id."""
    return [name for name, part in schema.get("properties", {}).items() if part.get("format") == FILE_FORMAT]


def _problems(error: Any) -> Iterator[tuple[str, str]]:
    """The params that an error is about, each with what is wrong; `point.x` inside `point`."""
    path = [str(part) for part in error.instance_path]
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            yield ".".join([*path, name]), "is required"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            for name in names:
                yield ".".join([*path, name]), "is not a param of this workload"
        case _:
            yield ".".join(path) or "params", error.message
