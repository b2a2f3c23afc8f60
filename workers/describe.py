"""Describes workloads in a child process: a module that raises, hangs or ends its process is named and skipped, the others survive."""

import asyncio
import contextlib
import importlib
import importlib.metadata
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from taskline import DefinitionError, Workload
from workers.description import Catalogue, Description, HeavyImport, Skipped
from workers.environment import clean_environment
from workers.heavy_imports import ImportWatch

BUILT_IN: Final = "workers.workloads"
GROUP: Final = "taskline.workloads"  # of entry points
LONGEST_LINE: Final = 16 * 1024 * 1024  # bytes

_Answer: Final = TypeAdapter(tuple[Literal["start", "workload", "skipped", "heavy"], str, Any])
_Description: Final = TypeAdapter(Description)
_HeavyImport: Final = TypeAdapter(HeavyImport)


@dataclass(slots=True)
class _Said:
    """What one child said until it ended. `fatal` is the module that it did not survive."""

    workloads: list[Description] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    heavy: list[HeavyImport] = field(default_factory=list)
    fatal: Skipped | None = None


def sources(setting: str = "") -> list[str]:
    """Where workloads come from, `module` or `module:attribute`: the built-in ones, entry points by their distribution's name, the setting (comma-separated)."""
    points = sorted(
        importlib.metadata.entry_points(group=GROUP),
        key=lambda point: (point.dist.name if point.dist else "", point.name),
    )
    named = [part.strip() for part in setting.split(",")]
    return list(dict.fromkeys(source for source in [BUILT_IN, *(point.value for point in points), *named] if source))


async def describe(modules: Sequence[str], timeout: float = 30.0, environ: Mapping[str, str] = os.environ) -> Catalogue:
    """The catalogue of `modules`. Each has `timeout` seconds for its import. On a clash of names the first stays, and both are named."""
    workloads: dict[str, Description] = {}
    skipped: list[Skipped] = []
    heavy: list[HeavyImport] = []
    left = list(modules)
    while left:
        said = await _ask(left, timeout, clean_environment(environ))
        skipped += said.skipped
        heavy += said.heavy
        for one in said.workloads:
            if (first := workloads.setdefault(one.name, one)) is not one:
                skipped.append(
                    Skipped(one.source, f"{one.target} is called {one.name!r}, as {first.target} already is")
                )
        if said.fatal is None:
            break
        culprit = left.index(said.fatal.source)
        skipped.append(said.fatal)
        left = left[culprit + 1 :]
    return Catalogue(workloads=workloads, skipped=tuple(skipped), heavy=tuple(heavy))


async def _ask(modules: Sequence[str], timeout: float, environ: Mapping[str, str]) -> _Said:
    # No pipe: uvloop's pipe transports close the number of their file twice, and by then another thread may have opened a file, such as a database, under it.
    ours, theirs = socket.socketpair()
    with theirs:
        command = (sys.executable, "-P", "-m", "workers.describe", str(theirs.fileno()), *modules)
        process = await asyncio.create_subprocess_exec(
            *command,
            pass_fds=(theirs.fileno(),),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    lines, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
    heard = _Said()
    current = modules[0]
    done = hung = False
    try:
        while line := await asyncio.wait_for(lines.readline(), timeout):
            kind, source, said = _Answer.validate_json(line)
            if kind == "start" and not source:
                done = True
                break
            if kind == "start":
                current = source
            elif kind == "workload":
                heard.workloads.append(_Description.validate_python(said))
            elif kind == "heavy":
                heard.heavy.append(_HeavyImport.validate_python(said))
            else:
                heard.skipped.append(Skipped(source, str(said)))
    except TimeoutError:
        hung = True
    finally:
        # With all that its modules have started. Once it has been collected its number may be another's; one that is done waits for this.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        writer.close()
        ended = await process.wait()
    if not done:
        reason = (
            f"its import did not end within {timeout:g} s"
            if hung
            else f"its import ended the process (exit status {ended})"
        )
        heard.fatal = Skipped(current, reason)
    return heard


def _answers(modules: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    imports = ImportWatch()
    for source in modules:
        yield "start", source, None
        try:
            with imports.watching(source) as heavy:
                found = list(_found(source))
            for target, workload in found:
                yield "workload", source, asdict(_described(target, workload, source))
            for one in heavy:
                yield "heavy", source, asdict(one)
        except DefinitionError as error:
            yield "skipped", source, str(error)
        except BaseException as error:  # noqa: BLE001  a module may do anything while it is imported, and is named for it
            yield "skipped", source, f"its import raised {type(error).__name__}: {error}"
    yield "start", "", None


def _found(source: str) -> Iterator[tuple[str, Workload[..., Any]]]:
    module, _, attribute = source.partition(":")
    names = vars(importlib.import_module(module))
    if attribute and not isinstance(names.get(attribute), Workload):
        raise DefinitionError(f"{source} is not a workload")
    seen: set[int] = set()
    for name, value in list(names.items()):
        if isinstance(value, Workload) and attribute in ("", name) and id(value) not in seen:
            seen.add(id(value))
            yield f"{module}:{name}", value


def _described(target: str, workload: Workload[..., Any], source: str) -> Description:
    copied = {name: getattr(workload, name) for name in Description.__slots__ if name not in ("target", "source")}
    return Description(**copied, target=target, source="built-in" if source == BUILT_IN else source)


def main() -> None:
    """The child: `python -m workers.describe FD MODULE…` writes one JSON line for each thing that it finds to FD."""
    channel = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    for answer in _answers(sys.argv[2:]):
        channel.write(json.dumps(answer) + "\n")
        channel.flush()
    os.read(channel.fileno(), 1)  # until the parent has killed this, or is gone
    # No clean-up that an imported module may have left for the exit: it could hang.
    os._exit(0)


if __name__ == "__main__":
    main()
