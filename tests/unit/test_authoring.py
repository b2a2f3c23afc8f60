"""`taskline workload`: what it writes, refuses and prints."""

import importlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from app.errors import Invalid
from taskline.results import Cell, Chart, Metric, Result, Series, Table, Text
from workers.authoring.progress_bar import ProgressBar
from workers.authoring.scaffold import scaffold
from workers.authoring.shown import shown
from workers.description import Catalogue
from workers.reload import Reloader, Root, roots_of


@pytest.mark.parametrize("name", ["Greet", "1st", "a b", "class", "../x", "-x", ""])
def test_a_name_that_python_or_a_path_cannot_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is no name for a workload"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over_or_hidden(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="There is a module json already"):
        scaffold("json", tmp_path)
    said = scaffold("word-count", tmp_path)
    assert f"pip install --no-build-isolation --editable {tmp_path}/word-count" in said
    assert "def word_count(" in (tmp_path / "word-count/src/word_count/__init__.py").read_text()
    with pytest.raises(Invalid, match="is there already"):
        scaffold("word-count", tmp_path)


def test_a_result_is_told_as_text() -> None:
    many: list[list[Cell]] = [[n, "x" * 50] for n in range(30)]
    first: list[Cell] = [1, "a\nb"]
    result = Result(
        value={},
        summary="s",
        blocks=[
            Text(name="Result", markdown="Done."),
            Text(name="Note", markdown="*so*"),
            Metric(name="rows", value=3, unit="kB"),
            Table(name="t", columns=["n", "text"], rows=[first, *many], total_rows=400, total_columns=2),
            Chart(name="c", kind="bar", x=[1], series=[Series(name="", values=[1])]),
        ],
    )
    text = "\n".join(shown(result)).splitlines()
    assert text[:8] == ["Done.", "Note:", "*so*", "rows: 3 kB", "t:", "n   text", f"──  {'─' * 40}", "1   a b"]
    assert text[-2:] == ["… and 380 rows more", "c: a bar chart, drawn on the task's page"]
    assert list(shown(Result(value={"a": {"b": 1}}))) == ['{\n  "a": {\n    "b": 1\n  }\n}']


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_in_a_terminal_and_a_line_a_message_elsewhere() -> None:
    terminal = Terminal()
    bar = ProgressBar(terminal)
    bar.progress(0.5, "Half way")
    assert "\r" in terminal.getvalue()
    assert "████████████            ]  50%" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    bar.end()
    file = io.StringIO()
    bar = ProgressBar(file)
    bar.progress(None, "Begins")
    bar.end()
    assert file.getvalue() == "Begins\n"


def test_the_code_of_a_source_is_its_package_or_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r_space" / "r_inner").mkdir(parents=True)
    (tmp_path / "r_space" / "r_inner" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "r_single.py").write_text("from beside import work\nimport os.path, json\nraise SystemExit")
    (tmp_path / "beside.py").write_text("def work():\n    import further.deep")
    (tmp_path / "further.py").write_text("half a line (")
    monkeypatch.syspath_prepend(tmp_path)
    package, folder, built_in = roots_of(
        ["r_space.r_inner.deep:work", "r_single", "r_single:work", "r_missing.x", "workers.workloads"]
    )
    assert package == Root(tmp_path / "r_space" / "r_inner")
    assert folder == Root(tmp_path, tmp_path / "r_single.py")
    assert built_in.folder.parts[-2:] == ("workers", "workloads")
    assert package.holds(str(tmp_path / "r_space" / "r_inner" / "deep" / "words.txt"))
    for name in ("r_single.py", "beside.py", "further.py"):
        assert folder.holds(str(tmp_path / name))
    assert not folder.holds(str(tmp_path / "unknown.py"))
    assert not folder.holds(str(tmp_path / "notes.txt"))
    assert not folder.holds(str(tmp_path / "other" / "deep.py"))


def test_a_module_among_installed_ones_is_taken_up_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installed := tmp_path / "site-packages").mkdir()
    (installed / "r_lone.py").write_text("import r_library")
    (installed / "r_library.py").write_text("")
    monkeypatch.syspath_prepend(installed)
    importlib.import_module("r_lone")

    async def nothing(*_: object) -> Any:
        raise AssertionError("it is not asked for")

    reloader = Reloader(["r_lone"], Catalogue(workloads={}), nothing, nothing, lambda _: None)
    try:
        reloader._forget_modules()
        assert ("r_lone" in sys.modules, "r_library" in sys.modules) == (False, True)
    finally:
        sys.modules.pop("r_lone", None)
        sys.modules.pop("r_library", None)
