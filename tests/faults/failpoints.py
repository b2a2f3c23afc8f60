"""Starts Taskline with failpoints: `python -m tests.faults.failpoints serve|worker|dev`.

FAILPOINTS names what happens where: `before-submit=kill`, or several, separated by commas. The product has no word of this: functions are wrapped from outside,
before anything runs. Actions: `kill` (SIGKILL to the process itself), `freeze` (SIGSTOP), `raise` (a `Failpoint` error), `delay:SECONDS` (awaited, or slept
where the function is no coroutine). With `@3` it happens at the third passage alone, without at every one. `names.POINTS` has the names.
"""

import asyncio
import functools
import importlib
import inspect
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.faults.names import POINTS, Point

VARIABLE: Final = "FAILPOINTS"
_SYNTAX: Final = re.compile(r"([a-z-]+)=(kill|freeze|raise|delay):?([\d.]*)(?:@(\d+))?")


class Failpoint(Exception):
    """What `raise` raises."""


@dataclass(slots=True)
class Fault:
    """What is to happen at one point. `only`: at this passage, counted from 1; None: at each."""

    name: str
    action: Literal["kill", "freeze", "raise", "delay"]
    seconds: float = 0.0
    only: int | None = None
    passages: int = 0

    def due(self) -> bool:
        """Count a passage; whether the fault happens at it."""
        self.passages += 1
        return self.only in (None, self.passages)

    def strike(self) -> None:
        """Do it, all but a delay. The log of the process tells."""
        print(f"failpoint {self.name}: {self.action} at {time.time():.3f}", file=sys.stderr, flush=True)
        match self.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise":
                raise Failpoint(self.name)


def parse(text: str, points: Mapping[str, Point] = POINTS) -> list[Fault]:
    """The faults that FAILPOINTS asks for. Raises `ValueError` for what it does not know: a fault that never happens proves nothing."""
    faults = []
    for one in filter(None, text.split(",")):
        match = _SYNTAX.fullmatch(one.strip())
        if not match or match[1] not in points or (match[2] == "delay") != bool(match[3]):
            raise ValueError(
                f"{VARIABLE}: {one!r} is none of: {', '.join(points)} with kill, freeze, raise, delay:SECONDS"
            )
        name, action, seconds, only = match.groups()
        faults.append(Fault(name, action, float(seconds or 0), int(only) if only else None))  # type: ignore[arg-type]
    return faults


def found(target: str) -> tuple[Any, str, Callable[..., Any]]:
    """Who holds the function, under which name, and the function. Raises where it is not there."""
    module, _, qualified = target.partition(":")
    *path, name = qualified.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(module))
    return owner, name, getattr(owner, name)


def install(faults: list[Fault], points: Mapping[str, Point] = POINTS) -> None:
    """Wrap the functions of each fault's point."""
    for fault in faults:
        point = points[fault.name]
        for target in point.targets:
            owner, name, function = found(target)
            setattr(owner, name, _wrapped(function, point.when, fault))


def _wrapped(function: Callable[..., Any], when: Literal["before", "after"], fault: Fault) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if when == "after":
                answer = function(*arguments, **named)
            if fault.due():
                fault.strike()
                time.sleep(fault.seconds)
            return answer if when == "after" else function(*arguments, **named)

        return call

    @functools.wraps(function)
    async def acall(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            answer = await function(*arguments, **named)
        if fault.due():
            fault.strike()
            await asyncio.sleep(fault.seconds)
        return answer if when == "after" else await function(*arguments, **named)

    return acall


if __name__ == "__main__":
    install(parse(os.environ.get(VARIABLE, "")))
    from app.cli import main

    sys.exit(main())
