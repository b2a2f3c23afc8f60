"""Checking a task's params against its workload's schema, before it is accepted. Custom validators run later, in the worker."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import jsonschema_rs

from app.artifacts.files import Files
from app.catalogue import Workload
from app.errors import NotFound

FILE_FORMAT: Final = "taskline-file"
MASK: Final = "this"  # in place of the value: it may be long, and whoever sent it knows it


class ParamsChecker:
    """Keeps a compiled validator for each version of each workload."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._validators: dict[tuple[str, int], Any] = {}

    async def problems(self, user_id: int, workload: Workload, params: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong, by the name of the param; empty where all is well."""
        found = problems_of(self._validator(workload), params)
        for name in file_params(workload.schema):
            if name not in found and params.get(name) is not None:
                try:
                    await self._use(user_id, params[name])
                except (NotFound, ValueError):
                    found[name] = (
                        "is not a file that you uploaded; send it to /api/v1/files first and use the id of the answer"
                    )
        return found

    async def _use(self, user_id: int, text: str) -> None:
        # In no other form: what still needs a file is found by this text.
        if str(file_id := UUID(text)) != text:
            raise ValueError(text)
        await self._files.use(user_id, file_id)

    def _validator(self, workload: Workload) -> Any:
        at = (workload.name, workload.version)
        if at not in self._validators:
            self._validators[at] = validator_of(workload.schema)
        return self._validators[at]


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
    """The params that an error is about, each with what is wrong."""
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            yield name, "is required"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            for name in names:
                yield name, "is not a param of this workload"
        case _:
            yield ".".join(str(part) for part in error.instance_path) or "params", error.message
