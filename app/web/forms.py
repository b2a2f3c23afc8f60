"""Forms made from a workload's JSON Schema, and what people sent with them as params again.

A param `x` is posted as `p.x`; a file as `upload.x`, or `p.x` with the id of one that was uploaded before.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.web.typed import Kind, option, type_of, typed, value_of
from taskline.files import FILE_FORMAT

Sent = Mapping[str, Sequence[str]]

PREFIX: Final = "p."
UPLOAD: Final = "upload."
_MOST_SEGMENTS: Final = 4
_LONGEST_SEGMENTS: Final = 36  # characters of all options together
_LONGEST_UNIT: Final = 6  # characters beside a number in half a line
_LONGEST_LABEL: Final = 18  # characters above a field in half a line
_LONG_TEXT: Final = 200  # characters: a text that may be longer gets several lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One param of a form. `value` is as typed: text, the id of a file, "on" for a switch."""

    name: str
    label: str
    kind: Kind
    required: bool
    value: str = ""
    hint: str = ""
    unit: str = ""
    minimum: str = ""
    maximum: str = ""
    step: str = ""
    longest: int | None = None
    options: tuple[tuple[str, str], ...] = ()  # (value, label)
    accept: str = ""
    error: str = ""
    file_name: str = ""
    half: bool = False  # shares its line with the next one
    within: str = ""  # before its name, where the form has params of two workloads

    @property
    def posted(self) -> str:
        """The name of its control."""
        return PREFIX + self.within + self.name

    @property
    def endings(self) -> str:
        """Names of files that it takes, in words: ".csv, .tsv or .txt"; empty for any."""
        *others, last = [one for one in self.accept.split(",") if one.startswith(".")] or [self.accept]
        return f"{', '.join(others)} or {last}" if others else last


def fields(
    schema: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    file_names: Mapping[str, str] | None = None,
) -> list[Field]:
    """The fields of a workload's params, filled with `values` (a task's params) or the defaults."""
    required = set(schema.get("required") or ())
    made = []
    for name, part in (schema.get("properties") or {}).items():
        shape = _resolve(schema, part)
        field = _field(name, shape, name in required)
        filled = (values or {}).get(name, shape.get("default"))
        made.append(
            _with(field, typed(field.kind, filled), (errors or {}).get(name, ""), (file_names or {}).get(name, ""))
        )
    return _paired(made)


def as_sent(
    schema: Mapping[str, Any], sent: Sent, errors: Mapping[str, str], file_names: Mapping[str, str]
) -> list[Field]:
    """The fields again as somebody filled them in, each with its error."""
    made = []
    for field in fields(schema):
        value = (sent.get(field.posted) or [""])[-1]
        made.append(_with(field, value, errors.get(field.name, ""), file_names.get(field.name, "")))
    return _paired(made)


def params(schema: Mapping[str, Any], sent: Sent) -> tuple[dict[str, Any], dict[str, str]]:
    """What was sent as params, and what is wrong with it field by field. Empty optional fields are left out, so that defaults hold."""
    found: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields(schema):
        text = (sent.get(field.posted) or [""])[-1]
        if field.kind == "switch":
            found[field.name] = text in ("on", "true", "1")
        elif text.strip() or (field.required and field.kind in ("text", "multiline") and text):
            try:
                found[field.name] = value_of(field.kind, text, _resolve(schema, schema["properties"][field.name]))
            except ValueError as error:
                errors[field.name] = str(error)
        elif field.required:
            errors[field.name] = "choose a file" if field.kind == "file" else "is needed"
    return found, errors


def _field(name: str, shape: Mapping[str, Any], required: bool) -> Field:
    kind = _kind(shape)
    return Field(
        name=name,
        label=_label(name, shape),
        kind=kind,
        required=required,
        hint=str(shape.get("description") or ""),
        unit=str(shape.get("x-unit") or ""),
        longest=shape.get("maxLength"),
        options=tuple((option(value), _option_label(value)) for value in shape.get("enum") or ()),
        accept=",".join(shape.get("x-accept") or ()),
        minimum=_bound(shape, "minimum", "exclusiveMinimum"),
        maximum=_bound(shape, "maximum", "exclusiveMaximum"),
        step=str(shape.get("multipleOf", 1 if kind == "integer" else "any")),
    )


def _bound(shape: Mapping[str, Any], *keys: str) -> str:
    return next((str(shape[key]) for key in keys if shape.get(key) is not None), "")


def _kind(shape: Mapping[str, Any]) -> Kind:
    if shape.get("format") == FILE_FORMAT:
        return "file"
    if "enum" in shape:
        labels = [_option_label(value) for value in shape["enum"]]
        return "segments" if len(labels) <= _MOST_SEGMENTS and sum(map(len, labels)) <= _LONGEST_SEGMENTS else "choice"
    match type_of(shape):
        case "boolean":
            return "switch"
        case "integer":
            return "integer"
        case "number":
            return "number"
        case "string":
            return "multiline" if shape.get("x-multiline") or shape.get("maxLength", 0) > _LONG_TEXT else "text"
        case "array" if type_of(shape.get("items") or {}) in ("string", "integer", "number"):
            return "lines"
    return "json"


def _resolve(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """`part` with its $ref, a lone allOf, and a null beside one other form folded in; its own words win."""
    for key in ("allOf", "anyOf"):
        forms = [form for form in part.get(key) or () if form.get("type") != "null"]
        if len(forms) == 1:
            part = {**_resolve(schema, forms[0]), **{name: value for name, value in part.items() if name != key}}
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        target = (schema.get("$defs") or {}).get(reference.removeprefix("#/$defs/"), {})
        part = {**_resolve(schema, target), **{name: value for name, value in part.items() if name != "$ref"}}
    if "const" in part and "enum" not in part:
        part = {**part, "enum": [part["const"]]}
    return part


def _label(name: str, shape: Mapping[str, Any]) -> str:
    """The schema's title where an author wrote one; else the name, in sentence case."""
    words = re.sub(r"[_-]+", " ", name).strip()
    title = str(shape.get("title") or "")
    generated = title.lower() == words.lower()
    return title if title and not generated else words[:1].upper() + words[1:]


def _option_label(value: object) -> str:
    text = re.sub(r"[_-]+", " ", value) if isinstance(value, str) else option(value)
    return text[:1].upper() + text[1:]


def _with(field: Field, value: str, error: str, file_name: str) -> Field:
    return replace(field, value=value, error=error, file_name=file_name)


def _short(field: Field) -> bool:
    return (
        field.kind in ("number", "integer", "choice")
        and len(field.unit) <= _LONGEST_UNIT
        and len(field.label) <= _LONGEST_LABEL
    )


def _paired(made: Sequence[Field]) -> list[Field]:
    """Two short neighbours share a line."""
    result = list(made)
    at = 0
    while at + 1 < len(result):
        if _short(result[at]) and _short(result[at + 1]):
            result[at : at + 2] = [replace(result[at], half=True), replace(result[at + 1], half=True)]
            at += 1
        at += 1
    return result
