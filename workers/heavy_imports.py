"""Finds the imports at a module's top that take long: each process that knows the workload pays for them, not the one that runs it alone."""

import builtins
import contextlib
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from workers.description import HeavyImport

HEAVY: Final = 0.1  # seconds of processor time


class ImportWatch:
    """Times imports while it is installed; keeps what they cost, since only the first import of a library pays."""

    def __init__(self) -> None:
        self._costs: dict[str, float] = {}

    @contextlib.contextmanager
    def watching(self, source: str) -> Iterator[list[HeavyImport]]:
        """The heavy imports at the top of the modules that belong to `source` (`module` or `module:attribute`) while they are imported."""
        found: list[HeavyImport] = []
        genuine = builtins.__import__
        own = source.partition(":")[0].partition(".")[0]

        def watched(name: str, *rest: Any, **named: Any) -> Any:
            caller = sys._getframe(1)  # noqa: SLF001  the line that imports
            library = name.partition(".")[0]
            level = rest[3] if len(rest) > 3 else named.get("level", 0)
            if level or library == own or library in sys.stdlib_module_names or not _is_top(caller, own):
                return genuine(name, *rest, **named)
            began = time.process_time()
            try:
                return genuine(name, *rest, **named)
            finally:
                took = time.process_time() - began
                self._costs[library] = cost = max(took, self._costs.get(library, 0.0))
                if cost >= HEAVY and all(known.library != library for known in found):
                    where = f"{caller.f_code.co_filename}:{caller.f_lineno}"
                    found.append(HeavyImport(source=source, library=library, where=where, seconds=round(cost, 2)))

        builtins.__import__ = watched
        try:
            yield found
        finally:
            builtins.__import__ = genuine


def _is_top(caller: FrameType, own: str) -> bool:
    """Whether the line is at the top of a module of the package `own`: not in a function, and not in another library."""
    module = str(caller.f_globals.get("__name__", ""))
    return caller.f_code.co_name == "<module>" and module.partition(".")[0] == own
