"""What the OpenAPI document says of one call, and of a parameter of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.web.shapes import ID, TEXT, Schema

Answer = tuple[str, Schema | None]  # what it means, and its schema; None for no content


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method of one path. `answers` by status; `problems` are the error statuses beyond those that follow from the rest."""

    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    parameters: Sequence[Mapping[str, Any]] = ()
    body: Schema | None = None
    body_type: str = "application/json"
    body_required: bool = True
    answer_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)  # of the answer: what each means
    problems: tuple[int, ...] = ()
    public: bool = False  # needs no session


def in_path(name: str, description: str, schema: Mapping[str, Any] = ID) -> dict[str, Any]:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def in_query(name: str, description: str, schema: Mapping[str, Any] = TEXT) -> dict[str, Any]:
    """What may stand after the question mark."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def in_header(name: str, description: str, schema: Mapping[str, Any] = TEXT) -> dict[str, Any]:
    """A header of the request."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


def limit(usual: int, most: int) -> dict[str, Any]:
    """How many items a page has: `usual` where nothing is said."""
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    return in_query("limit", "How many at most", schema)
