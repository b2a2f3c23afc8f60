"""The commands of docs/api.md, run as they stand there."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from app.web.calls import CALLS
from tests.integration.processes import Service

PAGE: Final = Path(__file__).parents[2] / "docs" / "api.md"
MARK: Final = "=== the next command ==="


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    one = Service()
    try:
        one.start()
        yield one
    finally:
        one.close()


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of every console block, each with the output that the page promises."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip("\n")))
    return found


def said(expected: str, output: str) -> bool:
    """Whether the output has what the page shows, line by line; "…" stands for anything, and headers may come in between."""
    lines = output.replace("\r", "").splitlines()
    for line in expected.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        while lines and not pattern.match(lines[0]):
            lines.pop(0)
        if not lines:
            return False
    return True


def test_every_command_does_what_the_page_says(service: Service, tmp_path: Path) -> None:
    found = commands(PAGE.read_text())
    assert len(found) > 20
    # One shell for all: later commands use what earlier ones have set.
    script = "".join(f"{command}\nprintf '\\n%s\\n' '{MARK}'\n" for command, _ in found)
    done = subprocess.run(
        ["bash", "-u", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "TASKLINE": service.url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    outputs = done.stdout.split(f"\n{MARK}\n")
    assert len(outputs) == len(found) + 1, done.stderr
    for (command, expected), output in zip(found, outputs, strict=False):
        assert said(expected, output), f"$ {command}\n{output}\ninstead of\n{expected}"


def test_it_names_every_call() -> None:
    text = PAGE.read_text()
    for path in CALLS:
        pattern = re.sub(r"\\\{\w+\\\}", lambda _: r"[^/\s]+", re.escape(path))
        shown = pattern.replace(re.escape("/api/v1/tasks/") + r"[^/\s]+", r"\$(TASK|LATER|TABLE)")
        assert re.search(pattern, text) or re.search(shown, text), path
