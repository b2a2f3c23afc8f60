"""Annotations of params that say how a form shows them: `Annotated[File, Accept(".csv")]`, `Annotated[float, Ui(unit="s")]`."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Accept:
    """The files that a form offers to choose: suffixes (`".csv"`) or media types (`"image/*"`). Only a hint: the content decides, and the workload checks it."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "x-accept": list(self.kinds)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """How a form shows a param: its `unit` behind the field, `multiline` text, its `label`."""

    unit: str | None = None
    multiline: bool = False
    label: str | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        said: dict[str, Any] = {"x-unit": self.unit, "x-multiline": self.multiline or None, "title": self.label}
        return {**handler(schema), **{key: value for key, value in said.items() if value is not None}}
