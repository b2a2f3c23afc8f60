"""How late things were, and when they were in time again: what rows about brokers and sockets measure."""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Final

from tests.faults.crowd import Accepted, Crowd
from tests.faults.metronome import METRONOME
from tests.faults.watching import until
from tests.servers import Server

PROMPT: Final = (
    0.4  # seconds from a 202 to the end in the browser where both hints and events flow; polls and rechecks take longer
)
IN_A_ROW: Final = 3  # by chance a poll comes at the right moment once


def slowest(crowd: Crowd, tasks: Iterable[Accepted]) -> float:
    """The most seconds from a 202 until every tab of its owner had heard the end."""
    return max(crowd.heard(task.id) - task.at for task in tasks)


def at_share(seconds: Sequence[float], share: float) -> float:
    """A percentile by the nearest rank."""
    return sorted(seconds)[math.ceil(share * len(seconds)) - 1]


async def until_prompt(crowd: Crowd, within: float) -> float:
    """Until tasks are told of at once, as without any fault; how many seconds that took. Raises `AssertionError` after `within`."""
    began, fast = time.monotonic(), 0
    while fast < IN_A_ROW:
        tasks = await crowd.submit(1)
        await crowd.settled()
        took = time.monotonic() - began
        fast = fast + 1 if slowest(crowd, tasks) < PROMPT * METRONOME.slower(took) else 0
        assert took < within * METRONOME.slower(took), f"not prompt again after {within:g} s"
    return time.monotonic() - began


async def until_logged(server: Server, text: str, since: int) -> None:
    """Until the log of a server has the text after byte `since`. Raises `TimeoutError`."""
    await until(lambda: text in server.log_tail(since, most=1 << 20))


def log_end(server: Server) -> int:
    """Where the log ends now, for `until_logged`."""
    return server.log.stat().st_size
