"""Rules about the repository itself that a machine can check."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LONGEST = 250
LONGER_WITH_REASON: dict[str, str] = {}
NAMES_THAT_HIDE = {"util", "utils", "helper", "helpers", "service", "services", "misc", "common", "manager", "managers"}
# Written in parts so that this file passes its own check.
OF_ONE_MACHINE = (
    "/" + "work/",
    "/" + "farm/",
    "/" + "root/",
    "index" + "-url",
    "/" + "simple/",
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js",
)
OF_OTHERS = ("static/vendor/", "tests/data/")  # comes from elsewhere as it is


def tracked() -> list[str]:
    """What is in the repository or would be added to it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in said.splitlines() if (ROOT / name).is_file()]


def pins(name: str) -> dict[str, set[str]]:
    """The versions that a requirements file pins, by package; several where they differ between Pythons."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


@pytest.mark.parametrize("folder", ["app", "workers", "taskline"])
def test_a_file_holds_one_thing(folder: str) -> None:
    lengths = {
        name: (ROOT / name).read_text().count("\n")
        for name in tracked()
        if name.startswith(f"{folder}/") and name.endswith(".py")
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST and name not in LONGER_WITH_REASON} == {}


def test_a_name_says_what_is_inside() -> None:
    assert [name for name in tracked() if NAMES_THAT_HIDE & {Path(part).stem for part in Path(name).parts}] == []


def test_no_pipe_is_handed_to_the_loop() -> None:
    """A loop of uvloop closes its number a second time, when it may be another thread's file: SQLite answered "disk I/O error". A socket pair does the same."""
    called = re.compile(r"\.connect_(read|write)_pipe\(")
    served = [name for name in tracked() if name.startswith(("app/", "workers/")) and name.endswith(".py")]
    assert [name for name in served if called.search((ROOT / name).read_text())] == []


def test_nothing_speaks_of_one_machine_or_registry() -> None:
    found = []
    for name in tracked():
        if name.startswith(OF_OTHERS):
            continue
        text = (ROOT / name).read_bytes().decode(errors="replace")
        found += [f"{name}: {mark}" for mark in OF_ONE_MACHINE if mark in text]
    assert found == []


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]),
        ("requirements-dev.txt", PROJECT["dependency-groups"]["dev"] + PROJECT["project"]["dependencies"]),
    ],
)
def test_the_pins_are_what_the_project_asks_for(file: str, asked: list[str]) -> None:
    pinned = pins(file)
    for text in asked:
        requirement = Requirement(text)
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{file} lacks {text}; run: make requirements"
        assert all(version in requirement.specifier for version in versions), (
            f"{file} is behind {text}; run: make requirements"
        )


def test_both_requirements_files_agree() -> None:
    development = pins("requirements-dev.txt")
    assert {name: development.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_its_hashes(file: str) -> None:
    for block in re.split(r"^(?=\S+==)", (ROOT / file).read_text(), flags=re.MULTILINE):
        assert "--hash=sha256:" in block or "==" not in block


def test_make_help_lists_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    said = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=_outside_make()
    ).stdout
    assert [line.split()[1] for line in said.splitlines()] == phony[1].split()
    assert all(len(line.split()) > 3 for line in said.splitlines())


def test_ci_runs_the_command_that_people_run() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme


def test_the_licence_is_mit() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n\nCopyright (c) 2026 Taskline contributors\n")
    assert PROJECT["project"]["license"] == "MIT"


def _outside_make() -> dict[str, str]:
    """The environment without what a `make test` around this one hands down."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
