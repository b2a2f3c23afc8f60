"""Runs one workload in the terminal, in the process, thread or loop that it would have at a worker, without a server."""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.errors import Invalid
from taskline.checking import file_params, problems_of, validator_of
from taskline.results import Result
from workers.assignment import Assignment, LocalFile, Outcome, Stop
from workers.authoring.choice import chosen
from workers.authoring.progress_bar import ProgressBar
from workers.authoring.shown import shown
from workers.describe import describe, sources
from workers.description import Description
from workers.execution import Execution
from workers.log_book import LogLine


async def run_here(name: str, params: str, files: Sequence[str], out: Path | None, modules: str) -> int:
    """Run it once; returns the exit status. Raises `TasklineError` where it cannot begin."""
    logging.getLogger("workers.attempt").setLevel(logging.INFO)  # which tells the trace
    catalogue = chosen(await describe(sources(modules)), [name])
    description = catalogue.answering[name]
    given, local = _params(description, params, files)
    stop = Stop()
    execution, bar = Execution(catalogue, warm=0), ProgressBar(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="taskline-") as folder:
        assignment = Assignment(
            task_id=uuid4(),
            attempt=1,
            claim=uuid4(),
            workload=name,
            version=description.version,
            params=given,
            files=local,
            folder=Path(folder),
        )
        try:
            with _interrupts(stop):
                outcome = await execution.run(assignment, bar, stop)
        finally:
            bar.end()
            await execution.close()
        return _told(outcome, assignment.book.lines, description, out)


def _params(description: Description, text: str, files: Sequence[str]) -> tuple[dict[str, Any], dict[str, LocalFile]]:
    try:
        params = json.loads(text)
    except json.JSONDecodeError as error:
        raise Invalid(f"--params is not JSON: {error}.") from error
    if not isinstance(params, dict):
        raise Invalid("--params takes a JSON object, such as '{\"seconds\": 3}'.")
    takes, local = file_params(description.schema), {}
    for said in files:
        param, path = _file_param(said, takes)
        file = _local(Path(path))
        local[file.id] = file
        params[param] = file.id
    if problems := problems_of(validator_of(description.schema), params):
        lines = [f"  {param}: {problem}" for param, problem in problems.items()]
        known = ", ".join(description.schema["properties"]) or "none"
        raise Invalid(
            "\n".join([f"{description.name} does not take these params:", *lines]), hint=f"Its params are: {known}."
        )
    return params, local


def _file_param(said: str, takes: Sequence[str]) -> tuple[str, str]:
    param, equals, path = said.partition("=")
    if equals and param in takes:
        return param, path
    if len(takes) == 1:
        return takes[0], said
    raise Invalid(
        f"--file {said}: which param is it for?",
        hint=f"Write --file PARAM=PATH; files are taken by: {', '.join(takes) or 'none'}.",
    )


def _local(path: Path) -> LocalFile:
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise Invalid(f"--file {path}: {(error.strerror or str(error)).lower()}.") from error
    return LocalFile(id=str(uuid4()), name=path.name, size=size, sha256=digest, path=path.resolve())


@contextlib.contextmanager
def _interrupts(stop: Stop) -> Iterator[None]:
    """Ctrl-C cancels; once more, and this process ends at once."""

    def interrupt() -> None:
        if stop.reason is not None:
            os._exit(130)
        stop.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _told(outcome: Outcome, lines: Sequence[LogLine], description: Description, out: Path | None) -> int:
    """Print what came of it."""
    for line in lines:
        print(f"{line.at:%H:%M:%S} {line.level}: {line.text}", file=sys.stderr)
    if outcome.kind == "cancelled":
        print("cancelled", file=sys.stderr)
        return 130
    if outcome.result is None:
        error = outcome.error or {"kind": "error", "message": "It did not end by itself.", "hint": None}
        again = f"\nAt a worker it would be tried again, {description.max_attempts} times at most."
        print(
            f"failed ({error['kind']}): {error['message']}"
            + (f"\n{error['hint']}" if error["hint"] else "")
            + (again if outcome.kind in ("retry", "crashed") else ""),
            file=sys.stderr,
        )
        return 1
    for text in shown(Result.model_validate(outcome.result, strict=False)):
        print(text)
    for artifact in outcome.artifacts:
        if out is None:
            print(f"{artifact.name}: {artifact.size:,} bytes; --out FOLDER keeps it")
        else:
            out.mkdir(parents=True, exist_ok=True)
            print(shutil.copyfile(artifact.path, out / artifact.name))
    return 0
