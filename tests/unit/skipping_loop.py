"""An event loop whose clock jumps: where nothing is left to do until a timer is due, it is due."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class _Skipping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0  # seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        self.skipped += max(timeout, 0)
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """For code that uses no sockets."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped


def run(scenario: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of `scenario`, whose waiting takes no time."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(scenario)
