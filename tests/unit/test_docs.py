"""The docs are complete, and lead where they say."""

import re
from pathlib import Path

import pytest

from app.cli import HELP
from app.ops import metrics
from workers.describe import BUILT_IN, describe

DOCS = [*Path().glob("*.md"), *Path("docs").rglob("*.md")]


@pytest.mark.parametrize("path", DOCS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text())
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def test_every_command_is_documented() -> None:
    text = Path("docs/operating.md").read_text()
    assert [name for name in HELP if f"`taskline {name}" not in text] == []


def test_every_metric_is_documented() -> None:
    text = Path("docs/operating.md").read_text()
    assert [name for name in metrics.HELP if f"`{name}`" not in text] == []


async def test_every_built_in_workload_is_documented() -> None:
    text = Path("README.md").read_text()
    described = await describe([BUILT_IN])
    assert described.workloads
    assert [name for name in described.workloads if f"`{name}`" not in text] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in Path("docs/adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
