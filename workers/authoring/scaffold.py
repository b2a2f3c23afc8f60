"""A package with a workload and its tests, to begin with."""

import importlib.util
import keyword
import re
from pathlib import Path
from string import Template
from typing import Final

from app.errors import Invalid

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")

_FILES: Final = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$name"
version = "0.1.0"
description = "A workload for Taskline."
requires-python = ">=3.11"
dependencies = ["taskline"]

[project.entry-points."taskline.workloads"]
$module = "$module"

[tool.pytest.ini_options]
pythonpath = ["src"]
""",
    "src/$module/__init__.py": '''\
from taskline import Context, workload


@workload
def $module(ctx: Context, name: str = "world", times: int = 3) -> str:
    """Greet somebody, as often as you like."""
    greetings = []
    for number in ctx.track(range(1, times + 1), "greeting"):
        ctx.sleep(1)
        greetings.append(f"{number}. Hello, {name}!")
    return "\\n".join(greetings)
''',
    "tests/test_$module.py": """\
from $module import $module

from taskline.testing import Harness


def test_it_greets(tasks: Harness) -> None:
    run = tasks.run($module, {"name": "Ada", "times": 2})
    assert run.value == "1. Hello, Ada!\\n2. Hello, Ada!"
    assert run.progress[-1] == (0.5, "Greeting 2 of 2")
    assert run.seconds == 2


def test_it_survives_the_death_of_its_worker_and_can_be_cancelled(tasks: Harness) -> None:
    tasks.crash_everywhere($module, {"times": 3})
    assert tasks.run($module, {"times": 3}, cancel_at=2).state == "cancelled"
""",
    "README.md": """\
# $name

A workload for Taskline. Install it where workers run, and where they are described (`taskline migrate`):

    pip install --editable .

Try it with `taskline workload run $module`, test it with `pytest`.
""",
}

_NEXT: Final = """\
$folder is a package with a workload, a test and an entry point. Next:
  pip install --no-build-isolation --editable $folder
  taskline workload run $module --params '{"name": "Ada"}'
  pytest $folder
  taskline dev         the Home page offers it; it is read again whenever you save it"""


def scaffold(name: str, into: Path) -> str:
    """Write the package into a new folder; returns what to do next. Raises `Invalid` for a name that cannot be taken."""
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module):
        raise Invalid(
            f"{name} is no name for a workload.",
            hint="Take lower-case letters, digits, _ and -, beginning with a letter.",
        )
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.origin:
        raise Invalid(f"There is a module {module} already: {spec.origin}.", hint="Choose another name.")
    folder = into / name
    if folder.exists():
        raise Invalid(f"{folder} is there already.", hint="Choose another name, or another folder with --into.")
    values = {"name": name, "module": module, "folder": str(folder)}
    for path, text in _FILES.items():
        file = folder / Template(path).substitute(values)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(values), encoding="utf-8")
    return Template(_NEXT).substitute(values)
