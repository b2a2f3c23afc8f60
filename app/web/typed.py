"""A param's value as somebody types it, and what was typed as a value again. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson

Kind = Literal["text", "multiline", "number", "integer", "choice", "segments", "switch", "file", "lines", "json"]


def typed(kind: Kind, value: object) -> str:
    """A param as somebody would have typed it."""
    if value is None:
        return ""
    if kind == "switch":
        return "on" if value else ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(option(item) for item in value)
    if kind == "json":
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return option(value)


def value_of(kind: Kind, text: str, shape: Mapping[str, Any]) -> Any:
    """What was typed as a value of the param's type. Raises ValueError that says what it takes."""
    match kind:
        case "integer":
            return _whole(text)
        case "number":
            return _decimal(text)
        case "lines":
            read = {"integer": _whole, "number": _decimal}.get(type_of(shape.get("items") or {}), str)
            return [read(line.strip()) for line in text.splitlines() if line.strip()]
        case "choice" | "segments":
            return next((value for value in shape["enum"] if option(value) == text), text)
        case "json":
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise ValueError(f"is not valid JSON: {error}") from error
        case "multiline":
            return text.replace("\r\n", "\n")
        case "file":
            return text.strip()
    return text


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("takes a whole number") from None


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("takes a number") from None


def option(value: object) -> str:
    """A value of a choice as the control posts it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def type_of(shape: Mapping[str, Any]) -> str:
    """The schema's type, null aside; empty where there are several."""
    kinds = shape.get("type")
    if isinstance(kinds, list):
        known = [kind for kind in kinds if kind != "null"]
        return known[0] if len(known) == 1 else ""
    return str(kinds or "")
