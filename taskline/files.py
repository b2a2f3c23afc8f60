"""Files that a task works on: an id on the wire, a path inside the workload."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

FILE_FORMAT: Final = "taskline-file"
FILES: Final = "files"  # the key of the validation context under which the files stand, by id


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file. `name` as it was uploaded, `size` in bytes, `sha256` in hex, `path` a local copy that is not to be changed."""

    id: str
    name: str
    size: int
    sha256: str
    path: Path

    def open(self) -> BinaryIO:
        """The content, for reading."""
        return self.path.open("rb")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(
            _find,
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda file: file.id),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": FILE_FORMAT}


def _find(file_id: str, info: core_schema.ValidationInfo[Any]) -> File:
    files: Mapping[str, File] = (info.context or {}).get(FILES, {})
    if file_id not in files:
        raise PydanticCustomError("file_missing", "This file does not exist any more; upload it again")
    return files[file_id]
