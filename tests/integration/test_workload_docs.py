"""What docs/workloads.md shows is run as it stands there: its tutorial from the first command to the task on the page, and every example."""

import json
import re
import shlex
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from tests.integration.processes import Service
from tests.integration.rest import caller, until
from workers.assignment import Assignment, LocalFile, Stop
from workers.describe import describe
from workers.execution import Execution

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "workloads.md").read_text(encoding="utf-8")
EXAMPLE: Final = re.compile(r"<!-- try: (?P<wanted>{[^\n]*}) -->\n```python\n(?P<code>.*?)```", re.DOTALL)
EXAMPLES: list[tuple[dict[str, Any], str]] = [
    (json.loads(found["wanted"]), found["code"]) for found in EXAMPLE.finditer(PAGE)
]
STEP: Final = re.compile(r"<!-- step(?:: (?P<file>\S+))? -->\n```(?P<kind>sh|python)\n(?P<text>.*?)```", re.DOTALL)
SAID: Final = re.compile(r"--out results\n```\n\n```\n(?P<said>.*?)```", re.DOTALL)


class Silent:
    def progress(self, fraction: float | None, message: str) -> None:
        """Nobody listens."""


def test_everything_shown_is_tried() -> None:
    steps = list(STEP.finditer(PAGE))
    assert len(EXAMPLES) + sum(step["kind"] == "python" for step in steps) == PAGE.count("```python") > 0
    assert sum(step["kind"] == "sh" for step in steps) == PAGE.count("```sh") > 0


def test_the_tutorials_workload_has_ten_lines() -> None:
    code = next(step["text"] for step in STEP.finditer(PAGE) if (step["file"] or "").endswith("__init__.py"))
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 10


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a folder and an environment of their own, in which Taskline is installed."""

    folder: Path
    python: Path

    @property
    def taskline(self) -> tuple[str, ...]:
        return (str(self.python), "-m", "app.cli")

    def does(self, command: str) -> str:
        """What a command of the tutorial prints."""
        program, *words = shlex.split(command)
        own = {
            ".venv/bin/taskline": self.taskline,
            ".venv/bin/pytest": (str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            ".venv/bin/pip": (sys.executable, "-m", "pip", "--python", str(self.python)),
        }[program]
        offline = ["--no-index", "--quiet", "--quiet"] if program.endswith("pip") else []
        done = subprocess.run(
            [*own, *words, *offline],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    venv.create(tmp_path / "environment", symlinks=True)
    (packages,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    (packages / "installed.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    folder = tmp_path / "somewhere"
    folder.mkdir()
    return Newcomer(folder, tmp_path / "environment" / "bin" / "python")


async def test_the_tutorial_leads_to_a_task_on_the_page(newcomer: Newcomer) -> None:
    said = ""
    for step in STEP.finditer(PAGE):
        if step["kind"] == "python":
            path = newcomer.folder / step["file"]
            assert path.exists(), "the package to begin with has the files that are written over"
            path.write_text(step["text"], encoding="utf-8")
            continue
        for command in step["text"].splitlines():
            if command != "make run":
                said = newcomer.does(command)
    shown = SAID.search(PAGE)
    assert shown
    assert said.endswith(shown["said"])
    assert (newcomer.folder / "results" / "primes.txt").read_text().startswith("2\n3\n5\n")
    service = Service("dev", program=newcomer.taskline)
    try:
        service.start()
        async with caller(service) as ada:
            page = await ada.get("/?workload=primes")
            assert "Find the prime numbers below a number." in page.text
            ended = await ada.ended(await ada.submit({"workload": "primes", "params": {"below": 50}}))
            assert (ended["state"], ended["result"]["value"]) == ("succeeded", {"primes": 15, "largest": 47})
            assert [artifact["name"] for artifact in ended["artifacts"]] == ["primes.txt"]

            # Then they go on writing, while the service runs.
            module = newcomer.folder / "primes/src/primes/__init__.py"
            module.write_text(module.read_text().replace('"largest": max', '"greatest": max'))
            assert await _comes(ada, "greatest")
            module.write_text(module.read_text().replace("def primes(", "def prime_numbers("))

            async def is_renamed() -> bool:
                names = [one["name"] for one in (await ada.get("/api/v1/workloads")).json()["items"]]
                return "prime_numbers" in names and "primes" not in names

            await until(is_renamed, 60)
            module.write_text(module.read_text() + "\n1 / 0\n")

            async def is_named() -> bool:
                return "A plug-in that is left out" in (await ada.get("/about")).text

            await until(is_named, 60)
            assert "ZeroDivisionError" in service.said()
            assert "ZeroDivisionError" in (await ada.get("/about")).text, (
                "the first one to sign up operates the service"
            )
            assert (await ada.ended(await ada.submit()))["state"] == "succeeded"
    finally:
        service.close()


async def _comes(ada: Any, key: str) -> bool:
    async def has_come() -> bool:
        ended = await ada.ended(await ada.submit({"workload": "primes", "params": {"below": 9}}))
        return key in ended["result"]["value"]

    await until(has_come, 60)
    return True


@pytest.mark.parametrize(("wanted", "code"), EXAMPLES, ids=[wanted["workload"] for wanted, _ in EXAMPLES])
async def test_an_example_does_what_the_page_says(
    wanted: dict[str, Any], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"example_{wanted['workload']}"
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "words.txt").write_text("one two three four", encoding="utf-8")
    file = LocalFile(id="FILE", name="words.txt", size=18, sha256="0" * 64, path=tmp_path / "words.txt")
    catalogue = await describe([module])
    assert not catalogue.skipped
    execution = Execution(catalogue, warm=0)
    try:
        outcome = await execution.run(
            Assignment(
                task_id=uuid4(),
                attempt=1,
                claim=uuid4(),
                workload=wanted["workload"],
                version=wanted.get("version", 1),
                params=wanted["params"],
                files={"FILE": file},
                folder=tmp_path / "attempt",
            ),
            Silent(),
            Stop(),
        )
    finally:
        await execution.close()
    assert outcome.summary == wanted.get("summary"), outcome
    assert outcome.kind == wanted.get("kind", "succeeded")
    assert (outcome.error and outcome.error["message"]) == wanted.get("error")
