"""Takes up changed code of workloads while a worker runs, for whoever writes them."""

import ast
import asyncio
import importlib
import importlib.util
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

from watchfiles import Change, DefaultFilter, awatch

from app.errors import TasklineError
from workers.describe import BUILT_IN
from workers.description import Catalogue

log = logging.getLogger(__name__)

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})  # names of folders


@dataclass(frozen=True, slots=True)
class Root:
    """Where the code of some workloads is: a package with all that is in its folder, or `module`, a single file with those beside it that it imports."""

    folder: Path
    module: Path | None = None

    def holds(self, path: str) -> bool:
        """Whether the file is a part of it."""
        file = Path(path)
        if self.module is None:
            return file.is_relative_to(self.folder)
        return file == self.module or (file.parent == self.folder and file in self._beside())

    def _beside(self) -> set[Path]:
        # Where packages are installed, what lies beside a module is somebody else's.
        if self.module is None or not _INSTALLED.isdisjoint(self.folder.parts):
            return set()
        found, unread = {self.module}, [self.module]
        while unread:
            new = {self.folder / f"{name}.py" for name in _imported(unread.pop())} - found
            found |= new
            unread += new
        return found


def roots_of(sources: Sequence[str]) -> list[Root]:
    """Where the code of `sources` (`module` or `module:attribute`) is. Imports nothing but folders without code; a source that cannot be found has none."""
    found = []
    for source in sources:
        module = source.partition(":")[0]
        # A plug-in's whole package counts, whatever module of it has the workloads; of this service, the built-in workloads alone.
        spec = importlib.util.find_spec(module) if module == BUILT_IN else _outermost(module)
        if spec is None or not spec.origin:
            continue
        file = Path(spec.origin).resolve()
        found.append(Root(file.parent, None if spec.submodule_search_locations is not None else file))
    return list(dict.fromkeys(found))


class Reloader:
    """Watches the code of `sources`, which had the workloads of `described`.

    After a change, `describe` says what there is now, `forget` hears of what is gone for good, not of what cannot be imported, and `renew` puts the rest to work.
    """

    def __init__(
        self,
        sources: Sequence[str],
        described: Catalogue,
        describe: Callable[[], Awaitable[Catalogue]],
        forget: Callable[[Iterable[str]], Awaitable[None]],
        renew: Callable[[Catalogue], None],
    ) -> None:
        self._roots = roots_of(sources)
        self._known = dict(described.workloads)
        self._describe = describe
        self._forget_workloads = forget
        self._renew = renew
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._watch(package=package) for package in (True, False)))

    async def _watch(self, *, package: bool) -> None:
        roots = [root for root in self._roots if (root.module is None) is package]
        if not roots:
            return
        keep = DefaultFilter()

        def wanted(change: Change, path: str) -> bool:
            return keep(change, path) and any(root.holds(path) for root in roots)

        try:
            async for burst in awatch(
                *{root.folder for root in roots}, watch_filter=wanted, recursive=package, debounce=400
            ):
                async with self._one_at_a_time:
                    await self._take_up({path for _, path in burst})
        except (OSError, RuntimeError) as error:  # the system lets no more files be watched
            log.warning("changes of workloads are not seen, start again after one: %s", error)

    async def _take_up(self, changed: set[str]) -> None:
        log.info("changed: %s", ", ".join(sorted(changed)))
        try:
            described = await self._describe()
            broken = {one.source for one in described.skipped}
            gone = [
                name
                for name, one in self._known.items()
                if name not in described.workloads and one.source not in broken
            ]
            await self._forget_workloads(gone)
        except TasklineError as error:
            log.warning("the change was not taken up: %s", error)
            return
        # What is broken at the moment is still known.
        self._known = {**{name: one for name, one in self._known.items() if name not in gone}, **described.workloads}
        self._forget_modules()
        self._renew(described)
        log.info("taken up again: %s", ", ".join(sorted(described.workloads)) or "nothing")

    def _forget_modules(self) -> None:
        """Let the next import of a module of theirs read its file again. What runs at the moment keeps what it has."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and any(root.holds(str(Path(file).resolve())) for root in self._roots):
                del sys.modules[name]
        importlib.invalidate_caches()


def _imported(file: Path) -> set[str]:
    """The top-level modules that the file imports; none where it cannot be read."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return set()
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in named}


def _outermost(module: str) -> ModuleSpec | None:
    """The first of `a`, `a.b`, … that has code."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:depth]))
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin:
            return spec
    return None
