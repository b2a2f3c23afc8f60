"""The JSON Schema (2020-12) of a workload's params, in the few shapes that a form can show."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from taskline.errors import DefinitionError
from taskline.files import FILE_FORMAT

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def schema_of(model: type[BaseModel], *, name: str, title: str) -> Schema:
    """The schema. A file param is `{"type": "string", "format": "taskline-file"}`, with what it accepts in `x-accept`; units stand in `x-unit`.

    `T | None` is one nullable field, `"type": [T, "null"]`, not two alternatives. Raises `DefinitionError` where a type has no JSON Schema, or a file inside it.
    """
    try:
        made = model.model_json_schema(schema_generator=GenerateJsonSchema, mode="validation")
    except PydanticInvalidForJsonSchema as error:
        raise DefinitionError(f"{name}: {error.message}") from error
    definitions = made.get("$defs", {})
    clear = _merged(made, definitions)
    if "$defs" in clear and not _uses(clear, "#/$defs/"):
        del clear["$defs"]
    clear.setdefault("properties", {})
    for param, shape in clear["properties"].items():
        if shape.get("format") != FILE_FORMAT and _holds_file(shape, definitions, set()):
            raise DefinitionError(
                f"{name}: {param} has a File inside its type, which no form can show and no worker fetches: a param takes one file, as `File` or "
                "`File | None`. Give each file a param of its own, or take them together as one archive"
            )
    return {"$schema": DIALECT, **clear, "title": title}


def _merged(part: Any, definitions: Schema) -> Any:
    if isinstance(part, list):
        return [_merged(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    clear = {key: _merged(value, definitions) for key, value in part.items()}
    options = clear.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        others = [option for option in options if option != {"type": "null"}]
        if len(others) == 1 and (nullable := _nullable(_inlined(others[0], definitions))) is not None:
            return {**nullable, **{key: value for key, value in clear.items() if key != "anyOf"}}
    return clear


def _nullable(shape: Schema) -> Schema | None:
    """`shape` with null allowed; None where it has no single type."""
    kind = shape.get("type")
    if not isinstance(kind, str):
        return None
    made: Schema = {**shape, "type": [kind, "null"]}
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made


def _inlined(shape: Schema, definitions: Schema) -> Schema:
    """What a `$ref` stands for, with the keys that stand beside it. A shape that contains itself stays a reference."""
    reference = str(shape.get("$ref", ""))
    target = definitions.get(reference.removeprefix("#/$defs/"))
    if target is None or _uses(target, reference):
        return shape
    return {**_merged(target, definitions), **{key: value for key, value in shape.items() if key != "$ref"}}


def _uses(part: Any, reference: str) -> bool:
    if isinstance(part, dict):
        return str(part.get("$ref", "")).startswith(reference) or any(
            _uses(value, reference) for key, value in part.items() if key != "$defs"
        )
    return isinstance(part, list) and any(_uses(one, reference) for one in part)


def _holds_file(part: Any, definitions: Schema, seen: set[str]) -> bool:
    if isinstance(part, list):
        return any(_holds_file(one, definitions, seen) for one in part)
    if not isinstance(part, dict):
        return False
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions and name not in seen:
        seen.add(name)
        if _holds_file(definitions[name], definitions, seen):
            return True
    return part.get("format") == FILE_FORMAT or any(_holds_file(value, definitions, seen) for value in part.values())
