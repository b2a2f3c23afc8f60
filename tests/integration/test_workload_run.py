"""`taskline workload run`: a workload in the terminal, without a server."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

import pytest

from app.errors import Invalid
from workers.authoring.terminal import run_here

SAMPLES: Final = "tests.integration.samples"


async def test_it_prints_the_result_and_keeps_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "people.csv"
    source.write_text("name,age\nAda,36\nBob,7\n")
    assert await run_here("measure", "{}", [str(source)], None, SAMPLES) == 0
    assert " bytes; --out FOLDER keeps it" in capsys.readouterr().out
    assert await run_here("csv_profile", "{}", [f"file={source}"], tmp_path / "kept", "") == 0
    said = capsys.readouterr()
    assert str(tmp_path / "kept" / "report.html") in said.out
    assert (tmp_path / "kept" / "profile.json").exists()
    assert "%" in said.err


@pytest.mark.parametrize(
    ("workload", "params", "files", "said"),
    [
        ("countdown", "{seconds", [], "--params is not JSON"),
        ("countdown", "[]", [], "takes a JSON object"),
        ("countdown", '{"seconds": -1, "x": 1}', [], "seconds: "),
        ("countdown", "{}", ["a.csv"], "which param is it for"),
        ("csv_profile", "{}", [], "file: is required"),
        ("csv_profile", "{}", ["missing.csv"], "no such file or directory"),
    ],
)
async def test_what_it_cannot_take_is_named(workload: str, params: str, files: list[str], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        await run_here(workload, params, files, None, "")
    assert said in caught.value.detail


async def test_a_failure_is_told_with_its_trace(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert await run_here("fails", "{}", [], None, SAMPLES) == 1
    assert "failed (error): " in capsys.readouterr().err
    assert await run_here("raises", '{"kind": "value"}', [], None, SAMPLES) == 1
    assert "Traceback" in caplog.text
    assert await run_here("later", "{}", [], None, SAMPLES) == 1
    assert "At a worker it would be tried again" in capsys.readouterr().err


async def test_an_interrupt_cancels_it(capsys: pytest.CaptureFixture[str]) -> None:
    running = asyncio.create_task(run_here("countdown", '{"seconds": 600}', [], None, ""))
    said = ""
    async with asyncio.timeout(60):
        while "600 seconds left" not in said:
            await asyncio.sleep(0.02)
            said += capsys.readouterr().err
        os.kill(os.getpid(), signal.SIGINT)
        assert await running == 130
    assert capsys.readouterr().err.endswith("cancelled\n")
