"""The built-in workloads as they are declared, and what importing them costs."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from taskline import Context, Fail
from workers.workloads import countdown, csv_profile


class Host:
    def __init__(self) -> None:
        self.said: list[tuple[float | None, str]] = []

    def progress(self, fraction: float | None, message: str) -> None:
        self.said.append((fraction, message))

    def log(self, level: str, text: str) -> None:
        raise AssertionError(text)

    def folder(self) -> Path:
        raise AssertionError("countdown needs no folder")

    def cancelled(self) -> bool:
        return False

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)

    def remaining(self) -> float:
        return 60.0


async def count(host: Host, seconds: float, *, fail: bool = False) -> str:
    return await countdown(
        Context(host, task_id=uuid4(), attempt=1, secrets={}, strict=True), seconds=seconds, fail=fail
    )


async def test_a_countdown_of_nothing_only_returns() -> None:
    host = Host()
    assert await count(host, 0) == "Counted 0 seconds."
    assert host.said == []


async def test_a_countdown_says_what_is_left() -> None:
    host = Host()
    assert await count(host, 1.2) == "Counted 1.2 seconds."
    assert [message for _, message in host.said] == ["1.2 seconds left", "0.2 seconds left"]
    with pytest.raises(Fail, match="because it was asked to"):
        await count(host, 0, fail=True)


@pytest.mark.parametrize(
    ("params", "taken"),
    [
        ({}, True),
        ({"seconds": 0}, True),
        ({"seconds": 3600, "fail": True}, True),
        ({"seconds": 3601}, False),
        ({"seconds": -1}, False),
        ({"fail": 1}, False),
        ({"x": 1}, False),
    ],
)
def test_the_schema_of_countdown_is_its_contract(params: dict[str, Any], taken: bool) -> None:
    assert jsonschema_rs.Draft202012Validator(countdown.schema).is_valid(params) is taken
    assert (countdown.mode, csv_profile.mode) == ("loop", "process")


def test_csv_profile_takes_one_file() -> None:
    assert csv_profile.schema["required"] == ["file"]
    assert csv_profile.schema["properties"]["file"]["format"] == "taskline-file"
    assert ".csv" in csv_profile.schema["properties"]["file"]["x-accept"]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("workers.workloads", "duckdb numpy pandas PIL polars scipy skops sklearn starlette app"),
        ("workers.child", "asyncio ssl duckdb numpy app"),  # each new process waits for what this loads
    ],
)
def test_what_every_process_imports_loads_nothing_heavy(module: str, heavy: str) -> None:
    program = f"import sys, {module}; print(sorted({set(heavy.split())} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=30,
    )
    assert done.stdout == "[]\n"


def test_the_package_for_authors_needs_pydantic_alone() -> None:
    program = (
        "import sys; before = set(sys.modules); import taskline; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(name for name in new - set(sys.stdlib_module_names) - {'taskline'} if name[0] != '_'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=30,
    )
    assert done.stdout == "['annotated_types', 'pydantic', 'pydantic_core', 'typing_extensions', 'typing_inspection']\n"
