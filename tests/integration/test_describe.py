"""The catalogue of workloads: a module that misbehaves is named and left out."""

from pathlib import Path

import pytest

from workers.authoring.choice import NoWorkload, chosen
from workers.describe import BUILT_IN, describe


async def test_one_bad_module_is_named_and_the_others_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = 'from taskline import workload\n@workload\ndef {name}() -> None:\n    """Fine."""\n'
    modules = {
        "w_good": good.format(name="fine"),
        "w_raises": "1 / 0",
        "w_exits": "import os\nos._exit(3)",
        "w_hangs": "import time\ntime.sleep(600)",
        "w_prints": "print('x' * 100_000)\n" + good.format(name="loud"),
        "w_refused": "from taskline import workload\n@workload\ndef untold(x):\n    '''Untyped.'''\n",
        "w_clash": good.format(name="fine"),
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = await describe([*modules, "w_missing"], timeout=2)
    assert list(catalogue.workloads) == ["fine", "loud"]
    reasons = {one.source: one.reason for one in catalogue.skipped}
    assert reasons == {
        "w_raises": "its import raised ZeroDivisionError: division by zero",
        "w_exits": "its import ended the process (exit status 3)",
        "w_hangs": "its import did not end within 2 s",
        "w_refused": "untold: x has no type",
        "w_clash": "w_clash:fine is called 'fine', as w_good:fine already is",
        "w_missing": "its import raised ModuleNotFoundError: No module named 'w_missing'",
    }
    with pytest.raises(NoWorkload) as caught:
        chosen(catalogue, ["fine", "lout"])
    assert "lout" in caught.value.detail
    assert "Did you mean loud?" in str(caught.value.hint)
    assert "w_raises" in str(caught.value.hint)
    assert list(chosen(catalogue, ["loud"]).workloads) == ["loud"]


async def test_a_heavy_import_at_a_modules_top_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h_library.py").write_text(
        "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    )
    package = tmp_path / "h_package"
    package.mkdir()
    (package / "__init__.py").write_text("from h_package import work\n")
    (package / "work.py").write_text(
        "import json\ntry:\n    import h_library\nexcept ImportError:\n    pass\n"
        "from taskline import workload\n@workload\ndef heavy() -> None:\n    'Fine.'\n    import h_library\n"
    )
    (tmp_path / "h_later.py").write_text("from h_library import end\n")
    (tmp_path / "h_light.py").write_text("def later():\n    import h_library\nlater()\n")
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = await describe(["h_package.work", "h_later", "h_light"])
    assert [(one.source, one.library, one.where) for one in catalogue.heavy] == [
        ("h_package.work", "h_library", f"{package / 'work.py'}:3"),
        ("h_later", "h_library", f"{tmp_path / 'h_later.py'}:1"),  # though the first has paid for both
    ]
    assert catalogue.heavy[0].seconds >= 0.3
    assert "import it inside the function" in str(catalogue.heavy[0])


async def test_no_built_in_workload_imports_what_is_heavy_at_its_top() -> None:
    catalogue = await describe([BUILT_IN])
    assert not catalogue.skipped
    assert [str(one) for one in catalogue.heavy] == []
