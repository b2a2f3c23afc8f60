"""The choices of database, queue and events that rows run on."""

from dataclasses import dataclass, replace
from typing import Final, Literal, Self

Choice = Literal["rabbitmq", "arq", "dev"]
CHOICES: Final[tuple[Choice, ...]] = ("rabbitmq", "arq", "dev")


@dataclass(frozen=True, slots=True)
class Backends:
    """URLs as the settings take them. An empty `database`: the embedded one, and then all runs in one process, `taskline dev`."""

    name: str
    database: str
    queue: str
    events: str

    @property
    def embedded(self) -> bool:
        """Whether web and worker are one process."""
        return not self.database

    def by(self, **urls: str) -> Self:
        """The same by other URLs (`database`, `queue`, `events`), such as those of proxies."""
        return replace(self, **urls)
