"""The catalogue of workloads: a module that misbehaves is named and left out."""

from pathlib import Path

import pytest

from workers.describe import describe


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
