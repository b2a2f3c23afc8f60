"""What a worker and its child processes say to each other: one JSON object a line, each checked; never pickle."""

import signal
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from taskline.limits import LONGEST_LOG_TEXT, LONGEST_MESSAGE
from taskline.results import Result
from workers.allowance import Allowance

INTERRUPT: Final = signal.SIGUSR1  # to the child: raise `Cancelled` in the work
MARK: Final = (
    b"\0taskline:"  # from the child, on its standard output: ends what a work printed, with the claim behind it
)
LONGEST_LINE: Final = 8 * 1024 * 1024  # bytes


class Message(BaseModel):
    """A line."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SentFile(Message):
    """A file that the work may read."""

    id: str
    name: str
    size: int
    sha256: str
    path: Path


class Work(Message):
    """To the child: run this. `remaining_s` is the time that it has, `allowance` what else it may use."""

    target: str
    task_id: UUID
    attempt: int
    claim: UUID
    version: int
    params: dict[str, Any]
    files: list[SentFile]
    folder: Path
    remaining_s: float
    allowance: Allowance
    secrets: dict[str, str]


class Ready(Message):
    """From the child: started, and waiting for work."""

    type: Literal["ready"] = "ready"


class Progress(Message):
    """From the child: how far it is."""

    type: Literal["progress"] = "progress"
    fraction: Annotated[float, Field(ge=0, le=1)] | None
    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)]


class Log(Message):
    """From the child: a line of the task's log."""

    type: Literal["log"] = "log"
    at: datetime
    level: Literal["debug", "info", "warning", "error"]
    text: Annotated[str, Field(max_length=LONGEST_LOG_TEXT)]


class Offered(Message):
    """An artifact: a path inside the attempt's folder."""

    name: str
    media_type: str
    path: Path


class Succeeded(Message):
    """The function returned."""

    type: Literal["succeeded"] = "succeeded"
    result: Result
    offers: list[Offered]


class Unsuccessful(Message):
    """The function raised. `after` in seconds; `trace` is for the worker's own log, never for the task's owner."""

    type: Literal["unsuccessful"] = "unsuccessful"
    kind: Literal["rejected", "failed", "retry", "cancelled"]
    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""
    hint: Annotated[str, Field(max_length=LONGEST_MESSAGE)] | None = None
    after: float | None = None
    trace: str = ""


Ending = Succeeded | Unsuccessful
FromChild: Final[TypeAdapter[Progress | Log | Succeeded | Unsuccessful]] = TypeAdapter(
    Annotated[Progress | Log | Succeeded | Unsuccessful, Field(discriminator="type")]
)
