"""The OpenAPI document: valid, complete, and with the params of every workload."""

from typing import Annotated, Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel, Field
from starlette.routing import Route

from app.assets import static_dir
from app.catalogue import Workload
from app.web.openapi import openapi, with_workloads
from app.web.reference import grouped
from app.web.routes import API, routes
from app.web.static import Static
from taskline import workload
from workers.workloads.countdown import countdown
from workers.workloads.csv_profiling import csv_profile


class Node(BaseModel):
    """Something that holds more of its kind."""

    label: str
    children: list["Node"] = []


class Size(BaseModel):
    """Width and height."""

    width: int
    height: int = 1


@workload
def plant(tree: Node, sizes: list[Size], depth: Annotated[int | None, Field(ge=1)] = None) -> None:
    """Its params refer to schemas of their own, one of which contains itself."""


WORKLOADS = [
    Workload(
        name=one.name,
        version=one.version,
        title=one.title,
        description=one.description,
        mode="loop",
        lane="light",
        schema=one.schema,
        limits={},
        timeout_s=60,
        max_attempts=3,
        source="built-in",
    )
    for one in (countdown, csv_profile, plant)
]
FILE = "7b7a3b5c-9c25-4b9a-8d5a-64d1c41ce0f1"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return with_workloads(openapi(), WORKLOADS)


def test_it_is_valid_with_and_without_workloads(document: dict[str, Any]) -> None:
    validate(openapi())
    validate(document)


def test_it_has_every_route_and_no_other() -> None:
    served = {
        (method, route.path)
        for route in routes(Static(static_dir()))
        if isinstance(route, Route)
        and (route.path.startswith(API) or route.path in {"/healthz", "/readyz", "/metrics"})
        for method in (route.methods or set()) - {"HEAD"}
    }
    told = {(method.upper(), path) for path, item in openapi()["paths"].items() for method in item}
    assert told == served


def test_each_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    operations = [operation for item in openapi()["paths"].values() for operation in item.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["summary"]
        assert operation["tags"]
        assert all(answer.get("description") or answer["$ref"] for answer in operation["responses"].values())


def test_the_params_in_a_path_are_told() -> None:
    for path, item in openapi()["paths"].items():
        for operation in item.values():
            told = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert told == {part[1:-1] for part in path.split("/") if part.startswith("{")}


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"workload": "countdown"}, True),
        ({"workload": "countdown", "params": {"seconds": 1, "fail": True}, "name": "x", "priority": 3}, True),
        ({"workload": "countdown", "run_at": "2999-01-01T00:00:00Z"}, True),
        ({"workload": "countdown", "params": {"seconds": -1}}, False),
        ({"workload": "countdown", "params": {"other": 1}}, False),
        ({"workload": "countdown", "priority": 101}, False),
        ({"workload": "countdown", "name": ""}, False),
        ({"workload": "countdown", "other": 1}, False),
        ({"workload": "csv_profile", "params": {"file": FILE}}, True),
        ({"workload": "csv_profile", "params": {}}, False),
        ({"workload": "csv_profile"}, False),
        ({"workload": "plant", "params": {"tree": {"label": "a", "children": [{"label": "b"}]}, "sizes": []}}, True),
        ({"workload": "plant", "params": {"tree": {"label": "a", "children": [{}]}, "sizes": []}}, False),
        ({"workload": "plant", "params": {"tree": {"label": "a"}, "sizes": [{"width": "x"}]}}, False),
        ({"workload": "plant", "params": {"tree": {"label": "a"}, "sizes": [], "depth": 0}}, False),
        ({"workload": "nothing"}, False),
        ({"params": {}}, False),
    ],
)
def test_a_body_fits_where_its_params_do(document: dict[str, Any], body: dict[str, Any], fits: bool) -> None:
    schema = {"$ref": "#/components/schemas/TaskBody", "components": document["components"]}
    assert jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(body) is fits


def test_without_workloads_any_name_and_params_fit() -> None:
    schema = {"$ref": "#/components/schemas/TaskBody", "components": openapi()["components"]}
    assert jsonschema_rs.is_valid(schema, {"workload": "later", "params": {"any": "thing"}})


def test_the_reference_page_shows_every_call_with_its_fields(document: dict[str, Any]) -> None:
    shown = {one.id: one for group in grouped(document) for one in group.operations}
    assert len(shown) == sum(len(item) for item in document["paths"].values())
    assert {name for name, _, _ in shown["post-api-v1-tasks"].body} == {
        "workload",
        "params",
        "name",
        "run_at",
        "priority",
        "then",
    }
    assert [name for name, _, _ in shown["post-api-v1-files"].body] == ["file"]
    texts = [text for one in shown.values() for row in (*one.parameters, *one.body, *one.answers) for text in row]
    assert not [text for text in texts if "`" in text]  # the page shows text as it is
    assert all(meaning for one in shown.values() for _, meaning in one.answers)
