"""The design keeps its promises whatever happens, and would break one without any of its rules; docs/model.md has the same figures."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from tests.model.checker import Found, search
from tests.model.mutations import MUTATIONS, Mutation
from tests.model.scenes import SCENES
from tests.model.world import Rules

DOCUMENT = Path("docs/model.md")


@cache
def found(name: str) -> Found:
    """Searched once, for both tests."""
    return search(SCENES[name], Rules())


@pytest.mark.parametrize("name", SCENES)
def test_every_promise_holds(name: str) -> None:
    assert found(name).broken == "", "\n".join(found(name).steps)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_without_a_rule_a_promise_breaks(mutation: Mutation) -> None:
    without = mutation.found()
    assert without.broken == mutation.breaks, "\n".join(without.steps)
    assert f"| `{mutation.name}` | {mutation.breaks} |" in DOCUMENT.read_text()


def test_every_rule_is_left_out_once() -> None:
    assert {field.name for field in fields(Rules)} == {rule for mutation in MUTATIONS for rule in mutation.without}


def test_the_document_has_the_figures_of_the_search() -> None:
    told = re.findall(r"^\| “(.+?)” \|.*\| ([\d,]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {name: int(worlds.replace(",", "")) for name, worlds in told} == {
        name: found(name).worlds for name in SCENES
    }
