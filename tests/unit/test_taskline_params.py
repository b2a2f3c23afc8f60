"""Params: from a signature to a JSON Schema that forms can show, and from JSON to arguments."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, HttpUrl, ValidationError

from taskline import Accept, DefinitionError, File, Ui, Workload, workload
from taskline.checking import file_params, problems_of, validator_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: float
    y: float = 0.0


class Tree(BaseModel):
    children: list["Tree"] = []


def even(value: int) -> int:
    if value % 2:
        raise ValueError("is odd")
    return value


@workload
def every(
    file: Annotated[File, Accept(".csv", "text/*")],
    count: Annotated[int, Field(ge=1, le=5, title="How many", description="Of them")] = 3,
    share: Annotated[float, Ui(unit="%")] = 0.5,
    note: Annotated[str, Ui(multiline=True, label="A note"), Field(max_length=20)] = "",
    maybe: int | None = None,
    other: Annotated[File | None, Accept(".txt")] = None,
    choice: Literal["a", "b"] = "a",
    colour: Colour | None = None,
    point: Point | None = None,
    urls: Annotated[list[HttpUrl], Field(max_length=3)] = [],  # noqa: B006  never changed
    day: date | None = None,
    at: datetime | None = None,
    key: UUID | None = None,
    even_number: Annotated[int, AfterValidator(even)] = 2,
    copy: bool = False,
    schema: str = "public",
) -> None:
    """Everything that a form can show."""


FILE = File(id="f1", name="a.csv", size=3, sha256="0" * 64, path=Path("/nowhere"))


def check(chosen: Workload[..., Any], **params: Any) -> dict[str, Any]:
    return chosen.params.check(json.dumps(params), {"f1": FILE})


def test_the_schema_has_the_shapes_that_forms_show() -> None:
    schema = every.schema
    parts = schema["properties"]
    assert (schema["$schema"], schema["title"], schema["additionalProperties"], schema["required"]) == (
        "https://json-schema.org/draft/2020-12/schema",
        "Every",
        False,
        ["file"],
    )
    assert parts["file"] == {
        "type": "string",
        "format": "taskline-file",
        "x-accept": [".csv", "text/*"],
        "title": "File",
    }
    assert parts["count"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "title": "How many",
        "description": "Of them",
        "default": 3,
    }
    assert parts["share"] == {"type": "number", "x-unit": "%", "title": "Share", "default": 0.5}
    assert parts["note"] == {"type": "string", "maxLength": 20, "x-multiline": True, "title": "A note", "default": ""}
    assert parts["choice"]["enum"] == ["a", "b"]


def test_none_makes_one_nullable_field() -> None:
    parts = every.schema["properties"]
    assert parts["maybe"] == {"type": ["integer", "null"], "title": "Maybe", "default": None}
    assert parts["other"] == {
        "type": ["string", "null"],
        "format": "taskline-file",
        "x-accept": [".txt"],
        "title": "Other",
        "default": None,
    }
    assert (parts["colour"]["type"], parts["colour"]["enum"]) == (["string", "null"], ["red", "blue", None])
    assert (parts["point"]["type"], list(parts["point"]["properties"])) == (["object", "null"], ["x", "y"])
    assert (parts["day"]["type"], parts["day"]["format"]) == (["string", "null"], "date")
    assert "anyOf" not in json.dumps(every.schema)
    assert "$ref" not in json.dumps(every.schema)


def test_a_shape_that_contains_itself_stays_a_reference() -> None:
    @workload
    def grow(tree: Tree | None = None) -> None:
        """Grow."""

    validator = jsonschema_rs.Draft202012Validator(grow.schema)
    assert validator.is_valid({"tree": {"children": [{"children": []}]}})
    assert validator.is_valid({"tree": None})
    assert not validator.is_valid({"tree": {"children": 3}})


def test_arguments_have_their_types() -> None:
    got = check(
        every,
        file="f1",
        urls=["https://example.org"],
        day="2026-11-24",
        key="12345678-1234-5678-1234-567812345678",
        colour="red",
        point={"x": 1},
    )
    assert got["file"] is FILE
    assert (got["count"], got["maybe"], got["day"], got["colour"], got["point"]) == (
        3,
        None,
        date(2026, 11, 24),
        Colour.RED,
        Point(x=1),
    )
    assert (got["copy"], got["schema"]) == (False, "public")
    assert isinstance(got["key"], UUID)


@pytest.mark.parametrize(
    ("params", "place", "message"),
    [
        ({}, "file", "Field required"),
        ({"file": "f2"}, "file", "does not exist any more"),
        ({"file": 3}, "file", "valid string"),
        ({"file": "f1", "count": "3"}, "count", "valid integer"),
        ({"file": "f1", "count": 9}, "count", "less than or equal to 5"),
        ({"file": "f1", "copy": 1}, "copy", "valid boolean"),
        ({"file": "f1", "even_number": 3}, "even_number", "is odd"),
        ({"file": "f1", "unknown": 1}, "unknown", "not permitted"),
    ],
)
def test_what_is_wrong_is_said_by_the_name_of_the_param(params: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check(every, **params)
    assert [(one["loc"][0], message in one["msg"]) for one in refused.value.errors()] == [(place, True)]


def test_no_number_is_taken_that_json_does_not_have() -> None:
    with pytest.raises(ValidationError):
        every.params.check('{"file": "f1", "share": NaN}', {"f1": FILE})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "count": st.integers(-2, 8) | st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
            "share": st.floats(allow_nan=False, allow_infinity=False)
            | st.integers(-(10**6), 10**6)
            | st.text(max_size=3),
            "note": st.text(max_size=25),
            "maybe": st.none() | st.integers(-(10**12), 10**12) | st.text(max_size=2),
            "choice": st.sampled_from(["a", "b", "c", None]),
            "copy": st.booleans() | st.integers(0, 1),
            "point": st.none() | st.dictionaries(st.sampled_from("xyz"), st.floats(-1, 1), max_size=3),
        },
    )
)
def test_the_schema_and_the_model_agree(params: dict[str, Any]) -> None:
    """What the web process accepts by the schema, the worker accepts too; whole floats apart, which JSON Schema calls integers."""
    params["file"] = "f1"
    params = {
        name: int(value) if name == "count" and isinstance(value, float) and value.is_integer() else value
        for name, value in params.items()
    }
    by_schema = jsonschema_rs.Draft202012Validator(every.schema, validate_formats=True).is_valid(params)
    assert by_schema == accepted(lambda: check(every, **params))


def accepted(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except ValidationError:
        return False
    return True


class Bag(BaseModel):
    inside: list["Bag"] = []
    file: File | None = None


@dataclass
class Pair:
    left: File
    name: str


@pytest.mark.parametrize(
    "hint",
    [
        list[File],
        dict[str, File],
        list[File] | None,
        tuple[File, int],
        File | str,
        Bag,
        Bag | None,
        list[Pair],
        Annotated[list[Annotated[File, Accept(".csv")]], Field(max_length=2)],
    ],
)
def test_a_file_inside_a_type_is_refused_with_the_way_out(hint: Any) -> None:
    def take(files: Any) -> None:
        """Take files."""

    take.__annotations__["files"] = hint
    with pytest.raises(DefinitionError, match=r"take: files has a File inside .* `File \| None`.* one archive"):
        workload(take)


@pytest.mark.parametrize(
    "hint",
    [
        File,
        File | None,
        Annotated[File, Accept(".csv")] | None,
        Annotated[File | None, Ui(label="Table"), Accept(".csv")],
        Annotated[File, Field(description="A table")],
    ],
)
def test_a_file_of_its_own_is_taken(hint: Any) -> None:
    def take(file: Any) -> None:
        """Take a file."""

    take.__annotations__["file"] = hint
    assert file_params(workload(take).schema) == ["file"]


def test_what_is_wrong_inside_a_param_is_said_by_its_path() -> None:
    assert problems_of(validator_of(every.schema), {"file": "f1", "count": 9, "point": {"y": 1}}) == {
        "count": "this is greater than the maximum of 5",
        "point.x": "is required",
    }
