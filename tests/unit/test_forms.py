"""A workload's schema as a form, and the form as params again."""

from typing import Any

import pytest

from app.web import forms

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["file", "weeks", "title"],
    "properties": {
        "file": {"type": "string", "format": "taskline-file", "x-accept": [".csv", ".tsv"], "title": "File"},
        "weeks": {
            "type": "integer",
            "minimum": 1,
            "maximum": 52,
            "default": 13,
            "x-unit": "weeks",
            "title": "Weeks",
            "description": "How far to look",
        },
        "title": {"type": "string", "maxLength": 80},
        "notes": {"type": ["string", "null"], "default": None, "x-multiline": True},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "care": {"$ref": "#/$defs/Care", "default": "balanced"},
        "country": {"enum": ["Sweden", "Norway", "Finland", "Denmark", "Iceland"], "default": "Sweden"},
        "quiet_mode": {"type": "boolean", "default": True, "title": "Quiet Mode"},
        "links": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "extra": {"type": "object"},
        "limit": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": None},
    },
    "$defs": {"Care": {"enum": ["quick", "balanced", "very_thorough"], "title": "Care"}},
}


def by_name(made: list[forms.Field]) -> dict[str, forms.Field]:
    return {one.name: one for one in made}


def test_each_type_gets_its_control() -> None:
    kinds = {one.name: one.kind for one in forms.fields(SCHEMA)}
    assert kinds == {
        "file": "file",
        "weeks": "integer",
        "title": "text",
        "notes": "multiline",
        "share": "number",
        "care": "segments",
        "country": "choice",
        "quiet_mode": "switch",
        "links": "lines",
        "sizes": "lines",
        "extra": "json",
        "limit": "integer",
    }


def test_limits_units_labels_and_defaults_come_from_the_schema() -> None:
    made = by_name(forms.fields(SCHEMA))
    weeks = made["weeks"]
    assert (weeks.minimum, weeks.maximum, weeks.step, weeks.unit, weeks.value, weeks.hint) == (
        "1",
        "52",
        "1",
        "weeks",
        "13",
        "How far to look",
    )
    assert (made["share"].minimum, made["share"].step) == ("0", "any")
    assert made["file"].accept == ".csv,.tsv"
    assert made["file"].endings == ".csv or .tsv"
    assert made["quiet_mode"].label == "Quiet mode"  # a title that pydantic made is not an author's
    assert made["care"].options[2] == ("very_thorough", "Very thorough")
    assert [made[name].required for name in ("file", "notes", "limit")] == [True, False, False]


def test_short_neighbours_share_a_line() -> None:
    schema = {
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "number"},
            "c": {"type": "integer"},
            "d": {"type": "string"},
        }
    }
    assert [one.half for one in forms.fields(schema)] == [True, True, False, False]


def test_a_filled_form_comes_back_as_typed_params() -> None:
    sent = {
        "p.file": ["0c8e9c7e-2d0b-4e0e-8d7d-0f4d4a1f6f52"],
        "p.weeks": ["4"],
        "p.title": ["Autumn"],
        "p.notes": ["one\r\ntwo"],
        "p.share": ["0.5"],
        "p.care": ["quick"],
        "p.country": ["Norway"],
        "p.links": [" a \n\n b"],
        "p.sizes": ["1\n2"],
        "p.extra": ['{"a": 1}'],
        "p.limit": [""],
    }
    found, errors = forms.params(SCHEMA, sent)
    assert errors == {}
    assert found == {
        "file": "0c8e9c7e-2d0b-4e0e-8d7d-0f4d4a1f6f52",
        "weeks": 4,
        "title": "Autumn",
        "notes": "one\ntwo",
        "share": 0.5,
        "care": "quick",
        "country": "Norway",
        "quiet_mode": False,  # a box that is not ticked is not sent
        "links": ["a", "b"],
        "sizes": [1, 2],
        "extra": {"a": 1},
    }


def test_what_is_wrong_is_said_by_field() -> None:
    _, errors = forms.params(SCHEMA, {"p.weeks": ["four"], "p.share": ["half"], "p.sizes": ["1\nx"], "p.extra": ["{"]})
    assert errors["weeks"] == "takes a whole number"
    assert errors["share"] == "takes a number"
    assert errors["sizes"] == "takes a whole number"
    assert errors["extra"].startswith("is not valid JSON")
    assert errors["file"] == "choose a file"
    assert errors["title"] == "is needed"


def test_a_refused_form_keeps_what_was_typed() -> None:
    sent = {"p.weeks": ["four"], "p.title": ["Autumn"], "p.file": ["an-id"]}
    made = by_name(forms.as_sent(SCHEMA, sent, {"weeks": "takes a whole number"}, {"file": "orders.csv"}))
    assert (made["weeks"].value, made["weeks"].error) == ("four", "takes a whole number")
    assert (made["file"].value, made["file"].file_name) == ("an-id", "orders.csv")
    assert made["quiet_mode"].value == ""


@pytest.mark.parametrize(
    "value", [{"weeks": 4, "links": ["a", "b"], "quiet_mode": False, "notes": None, "extra": {"a": 1}, "share": 0.25}]
)
def test_params_survive_the_way_through_the_form(value: dict[str, Any]) -> None:
    sent = {
        one.posted: [one.value] for one in forms.fields(SCHEMA, {**value, "file": "an-id", "title": "x"}) if one.value
    }
    found, errors = forms.params(SCHEMA, sent)
    assert errors == {}
    assert {name: found.get(name) for name in value} == value
