"""The OpenAPI and the AsyncAPI document as the reference page prints them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call. `parameters` are (name, in, takes, meaning), `body` (name, takes, meaning), `answers` (status, meaning)."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str, str, str], ...]
    body: tuple[tuple[str, str, str], ...]
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The calls of one tag."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A message of the websocket: its `type`, one of `types`. `fields` are (name, takes)."""

    types: tuple[str, ...]
    sent: bool  # by the service
    summary: str
    fields: tuple[tuple[str, str], ...]


def frames(document: Mapping[str, Any]) -> list[Frame]:
    """Every frame that an AsyncAPI document has, in its order."""
    found = []
    for operation in document["operations"].values():
        for reference in operation["messages"]:
            message = _resolved(document, reference)
            shape = _resolved(document, message["payload"])
            properties = dict(shape["properties"])
            kind = properties.pop("type")
            found.append(
                Frame(
                    types=tuple(kind["enum"]) if "enum" in kind else (kind["const"],),
                    sent=operation["action"] == "send",
                    summary=message["summary"],
                    fields=tuple((name, _takes(document, part)) for name, part in properties.items()),
                )
            )
    return found


def grouped(document: Mapping[str, Any]) -> list[Group]:
    """Every operation, by its first tag, in the document's order."""
    groups: dict[str, list[Operation]] = {}
    for path, item in (document.get("paths") or {}).items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tag = (operation.get("tags") or ["Calls"])[0]
                shared = item.get("parameters") or []
                groups.setdefault(tag, []).append(_operation(document, method, path, operation, shared))
    return [Group(_sentence(name), tuple(operations)) for name, operations in groups.items()]


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any], shared: list[Any]
) -> Operation:
    parameters = [_resolved(document, one) for one in (*shared, *(operation.get("parameters") or []))]
    return Operation(
        id=re.sub(r"[^a-z0-9]+", "-", f"{method}-{path}".lower()).strip("-"),
        method=method,
        path=path,
        summary=str(operation.get("summary") or ""),
        description=str(operation.get("description") or ""),
        parameters=tuple(
            (one["name"], one["in"], _takes(document, one.get("schema") or {}), str(one.get("description") or ""))
            for one in parameters
        ),
        body=tuple(_body(document, _resolved(document, operation.get("requestBody") or {}))),
        answers=tuple(
            (status, str(_resolved(document, answer).get("description") or ""))
            for status, answer in (operation.get("responses") or {}).items()
        ),
    )


def _body(document: Mapping[str, Any], body: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for media_type, content in (body.get("content") or {}).items():
        schema = _resolved(document, content.get("schema") or {})
        required = set(schema.get("required") or ())
        for name, part in (schema.get("properties") or {}).items():
            shape = _resolved(document, part)
            takes = _takes(document, part) + ("" if name in required else ", optional")
            rows.append((name, takes, str(shape.get("description") or "")))
        if not schema.get("properties"):
            rows.append((media_type, _takes(document, schema), str(schema.get("description") or "")))
    return rows


def _takes(document: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """A schema in a few words: "text", "one of a, b", "whole number from 1 to 200"."""
    shape = _resolved(document, part)
    if "enum" in shape:
        return f"one of {', '.join(str(value) for value in shape['enum'])}"
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_takes(document, form) for form in shape["anyOf"]))
    kinds = shape.get("type", "anything")
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
        "array": "list",
        "object": "object",
    }
    text = " or ".join(names.get(kind, str(kind)) for kind in ([kinds] if isinstance(kinds, str) else kinds))
    if shape.get("format"):
        text = {"date-time": "time", "uuid": "id", "binary": "file"}.get(shape["format"], f"{text} ({shape['format']})")
    low, high = shape.get("minimum"), shape.get("maximum")
    if low is not None and high is not None:
        text += f" from {low} to {high}"
    return text


def _resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """`part`, or what its reference into the same document points at."""
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return part
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return _resolved(document, found)


def _sentence(name: str) -> str:
    return name[:1].upper() + name[1:]
