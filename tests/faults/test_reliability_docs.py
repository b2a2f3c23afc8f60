"""docs/reliability.md says what was measured, and every row of its matrix is a test."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.faults.aftermath import Measure, bound
from tests.faults.charts import Strip, bars, curves, strips
from tests.faults.figures import MEASURED, read, spread
from tests.faults.matrix import MATRIX
from tests.faults.pace import USUAL
from tests.faults.publish import BLOCK, BLOCKS, PAGE, PICTURES, page, pictures

TESTED = re.compile(r"def test_(\d\d)(?:_(to|and)_(\d\d))?_")


def test_the_page_is_as_the_figures_are() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "run: python -m tests.faults.publish"


def test_the_plots_are_as_the_figures_are() -> None:
    for name, drawing in pictures().items():
        assert (PICTURES / name).read_text() == drawing, "run: python -m tests.faults.publish"


def test_the_page_has_a_place_for_every_measurement() -> None:
    assert [match[2] for match in BLOCK.finditer(PAGE.read_text())] == [
        *("recovery", "throughput", "delivery", "soak", "sqlite", "backlog", "rows")
    ]
    assert set(BLOCKS) == {match[2] for match in BLOCK.finditer(PAGE.read_text())}


@pytest.mark.parametrize(
    ("kind", "measure", "choice"),
    [
        ("worker killed", "rerun", "arq"),
        ("Redis killed", "meanwhile", "rabbitmq"),
        ("RabbitMQ killed", "meanwhile", "rabbitmq"),
        ("Redis killed", "meanwhile", "arq"),
        ("web killed", "meanwhile", "arq"),
        ("rollout", "after", "arq"),
        ("PostgreSQL stopped", "after", "arq"),
        ("PostgreSQL frozen", "resumed", "arq"),
    ],
)
def test_the_page_states_the_bounds(kind: str, measure: Measure, choice: str) -> None:
    assert f" = {bound(kind, measure, USUAL, choice):g} s |" in PAGE.read_text()


@pytest.mark.parametrize("name", BLOCKS)
def test_every_measurement_was_taken(name: str) -> None:
    assert read(name), f"{MEASURED / name}.json is missing; docs/reliability.md names the command"


@pytest.mark.parametrize("name", ["recovery", "soak"])
def test_no_recovery_was_late(name: str) -> None:
    report = read(name)
    assert report
    assert [one for one in report["recoveries"] if one["alone"] and one["seconds"] > one["bound"]] == []


def test_without_rabbitmq_half_of_the_throughput_is_left_at_least() -> None:
    report = read("throughput")
    assert report
    there, *others = (case["median"] for case in report["cases"])
    assert min(others) >= there / 2


def test_every_row_of_the_matrix_is_a_test() -> None:
    tested: set[int] = set()
    for path in Path("tests").rglob("test_*.py"):
        for first, word, last in TESTED.findall(path.read_text()):
            tested.update(range(int(first), int(last) + 1) if word == "to" else {int(first), int(last or first)})
    assert [row.number for row in MATRIX] == list(range(1, 41))
    assert [row.number for row in MATRIX if row.number not in tested] == []


def test_figures_are_of_measured_values() -> None:
    assert spread([3.0, 1.0, 2.0]) == (3, 2.0, 3.0, 3.0, 3.0)
    assert spread([0.5]) == (1, 0.5, 0.5, 0.5, 0.5)


def test_plots_are_wellformed() -> None:
    drawn = [
        strips("A <b>", [Strip("x & y", [0.01, 1.0, 100.0], 5.0)]),
        bars("B", "number", {"within 1 s": 3, "within 2 s": 0}),
        curves("C", "waiting", [0, 10], {"seconds": [0.0, 1.0]}),
    ]
    for drawing in drawn:
        assert ET.fromstring(drawing).tag.endswith("svg")
        assert "prefers-color-scheme:dark" in drawing
