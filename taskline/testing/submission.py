"""Submitting a task in a test: its params cross JSON and the check of the form, as they would on their way to a worker."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pydantic_core

from taskline.definition import Workload
from taskline.files import FILE_FORMAT, File

_MASK: Final = "this"  # in place of the value


class NotAccepted(ValueError):
    """No task comes of these params: the service refuses them with 422. `fields` says what is wrong, by param."""

    def __init__(self, workload: str, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        said = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        super().__init__(f"{workload} does not take these params: {said}")


def accepted(
    workload: Workload[..., Any], params: Mapping[str, Any], version: int
) -> tuple[dict[str, Any], dict[str, File]]:
    """The params as a worker gets them, and their files by id. A path for a param that takes a file stands for an upload of it.

    Raises `NotAccepted`, and `TypeError` for what JSON cannot hold.
    """
    files: dict[str, File] = {}
    sent = dict(params)
    for name, shape in workload.schema["properties"].items():
        if shape.get("format") == FILE_FORMAT and isinstance(params.get(name), Path):
            file = _uploaded(params[name])
            files[file.id] = file
            sent[name] = file.id
    try:
        crossed: dict[str, Any] = json.loads(pydantic_core.to_json(sent))
    except pydantic_core.PydanticSerializationError as error:
        raise TypeError(f"these params cannot be sent as JSON: {error}") from error
    # Params of an older version were checked by an older schema.
    if version == workload.version and (problems := _problems(workload.schema, crossed)):
        raise NotAccepted(workload.name, problems)
    return crossed, files


def _uploaded(path: Path) -> File:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return File(str(uuid4()), path.name, path.stat().st_size, digest, path)


def _problems(schema: Mapping[str, Any], params: dict[str, Any]) -> dict[str, str]:
    import jsonschema_rs  # the service's own, which authors who do not test need not load

    validator = jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, mask=_MASK)
    return {
        ".".join(str(part) for part in error.instance_path) or "params": error.message
        for error in validator.iter_errors(params)
    }
