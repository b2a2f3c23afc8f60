"""The parts that may be away while the service goes on, and what that means: one wording for pages, probes and people who operate it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Away:
    """What is said while a part does not answer. `page`: to everybody; `meanwhile` and `remedy`: to whoever operates the service."""

    page: str
    meanwhile: str
    remedy: str


PARTS: Final = {
    "database": Away(
        page="Tasks cannot be accepted just now. Nothing that was accepted is lost, and this page goes on by itself once the database answers.",
        meanwhile="Nothing that was accepted is lost. Requests get 503, workers end what runs before its lease does, and all go on by themselves.",
        remedy="Start the database, or check TASKLINE_DATABASE_URL.",
    ),
    "queue": Away(
        page="The queue is away. Tasks are accepted and run as usual: the workers look for them by themselves every moment.",
        meanwhile="Tasks are accepted and run: workers look for them in the database every moment.",
        remedy="Start the broker, or check TASKLINE_QUEUE_URL.",
    ),
    "events": Away(
        page="News travels more slowly just now: this page catches up within 5 seconds. Tasks run as usual.",
        meanwhile="Tasks are accepted and run: web processes read events from the database, 5 s late at most.",
        remedy="Start Redis, or check TASKLINE_EVENTS_URL.",
    ),
}
