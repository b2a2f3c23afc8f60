"""The examples of docs/workloads.md are run as they stand there."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from workers.assignment import Assignment, LocalFile, Stop
from workers.describe import describe
from workers.execution import Execution

PAGE = Path(__file__).parents[2] / "docs" / "workloads.md"
EXAMPLE = re.compile(r"<!-- try: (?P<wanted>{[^\n]*}) -->\n```python\n(?P<code>.*?)```", re.DOTALL)
EXAMPLES: list[tuple[dict[str, Any], str]] = [
    (json.loads(found["wanted"]), found["code"]) for found in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))
]


class Silent:
    def progress(self, fraction: float | None, message: str) -> None:
        """Nobody listens."""


def test_every_example_is_tried() -> None:
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("```python") > 0


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
                max_attempts=3,
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
