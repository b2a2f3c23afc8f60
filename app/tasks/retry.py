"""When an attempt is tried again, and when not. Pure."""

import random
from typing import Final

import orjson

LONGEST: Final = 300.0  # seconds between two attempts at most
MOST_LOST: Final = 3  # workers that may die under a task before it fails as `lost`; counted apart from errors, since that is not the task's fault
LOST_ERROR: Final = orjson.dumps(
    {
        "kind": "lost",
        "message": f"{MOST_LOST} times a worker stopped answering while it ran this task, so it is not tried again.",
        "hint": "It may need more memory than there is, or end the program that runs it: try a smaller input. "
        "If the workers were stopped for another reason, start it again.",
    }
).decode()


def backoff(attempt: int) -> float:
    """Seconds to wait after `attempt` (from 1) failed: full jitter, uniform between 0 and min(300, 2^attempt)."""
    return random.uniform(0, min(LONGEST, 2.0**attempt))
