"""Submitting a task in a test: its params cross JSON and the check of the form, as they would on their way to a worker."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pydantic_core

from taskline.checking import file_params, problems_of, validator_of
from taskline.definition import Workload
from taskline.files import File


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
    # Params of an older version were checked by an older schema, which nobody has any more: any of them may have taken a file.
    old = version != workload.version
    for name in params if old else file_params(workload.schema):
        if isinstance(path := params.get(name), Path):
            file = _uploaded(path)
            files[file.id] = file
            sent[name] = file.id
    try:
        crossed: dict[str, Any] = json.loads(pydantic_core.to_json(sent))
    except pydantic_core.PydanticSerializationError as error:
        raise TypeError(f"these params cannot be sent as JSON: {error}") from error
    if not old and (problems := problems_of(validator_of(workload.schema), crossed)):
        raise NotAccepted(workload.name, problems)
    return crossed, files


def _uploaded(path: Path) -> File:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return File(str(uuid4()), path.name, path.stat().st_size, digest, path)
