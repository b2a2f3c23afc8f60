"""The moments of app/ and workers/ that a failpoint can name: which functions, and whether before or after them."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Point:
    """Right before or right after each call of some functions, each `module:qualified.name`."""

    when: Literal["before", "after"]
    targets: tuple[str, ...]


def _moves(name: str) -> tuple[str, ...]:
    return (f"app.tasks.postgresql:PostgresMoves.{name}", f"app.tasks.sqlite:SqliteMoves.{name}")


_WAKE: Final = tuple(
    f"app.queues.{place}.wake" for place in ("rabbitmq:RabbitMQQueue", "arq:ArqQueue", "memory:MemoryQueue")
)

POINTS: Final[dict[str, Point]] = {
    # web
    "before-submit": Point("before", _moves("submit")),  # nothing is written yet
    "after-submit": Point("after", _moves("submit")),  # committed; no answer, no hint, no event told
    "before-dispatch": Point("before", _WAKE),  # committed, perhaps answered; the broker knows nothing
    "after-dispatch": Point("after", _WAKE),  # the broker has stored the hint
    "before-cancel": Point("before", _moves("cancel")),
    "after-cancel": Point("after", _moves("cancel")),
    # worker
    "before-start": Point("before", _moves("start")),  # the time of a schedule has come, or a task has succeeded
    "after-start": Point("after", _moves("start")),  # what that starts is committed; no hint, no event told
    "before-claim": Point("before", _moves("claim")),
    "after-claim": Point(
        "after", _moves("claim")
    ),  # committed; the work has not begun. Also after claims that found nothing
    "before-run": Point("before", ("workers.execution:Execution.run",)),  # claimed by this worker, and about to begin
    "after-run": Point("after", ("workers.execution:Execution.run",)),  # done, but nothing is written
    "before-finish": Point("before", _moves("finish")),
    "after-finish": Point("after", _moves("finish")),  # committed; nobody was told
    "before-heartbeat": Point("before", _moves("heartbeat")),
    "after-heartbeat": Point("after", _moves("heartbeat")),
    "before-reap": Point("before", _moves("reap")),
    "after-reap": Point("after", _moves("reap")),
    # both
    "before-publish": Point("before", ("app.events.fanout:Fanout.publish",)),
    "after-publish": Point("after", ("app.events.fanout:Fanout.publish",)),
}
