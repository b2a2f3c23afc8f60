"""One attempt on the worker's side: its log, its files, and the outcome that an ending comes to."""

import logging
import mimetypes
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from taskline import File
from taskline.errors import Cancelled
from taskline.gathering import check_artifact_name
from workers.allowance import Breach
from workers.assignment import ArtifactFile, Assignment, Outcome, Problem, Reports
from workers.deaths import Death
from workers.description import Description
from workers.log_book import Level
from workers.watch import Reason
from workers.wire import Ending, Offered, Succeeded, Unsuccessful

log = logging.getLogger(__name__)

_WORK: Final = "work"  # the folder, in the assignment's, that is the work's own: beside it lie the fetched files


class Attempt:
    """Implements `taskline.context.Host` for work on the loop; the other modes build on it."""

    def __init__(
        self, assignment: Assignment, description: Description, reports: Reports, secrets: Mapping[str, str]
    ) -> None:
        self.assignment = assignment
        self.description = description
        self.reports = reports
        self.secrets = secrets
        self.asked = False  # to end
        self._deadline = time.monotonic() + description.timeout_s

    def progress(self, fraction: float | None, message: str) -> None:
        """Hand it on."""
        if not self.asked:
            self.reports.progress(fraction, message)

    def log(self, level: Level, text: str) -> None:
        """Lines of the log, now."""
        self.assignment.book.add(level, text)

    def folder(self) -> Path:
        """The work's folder; made when it is first asked for."""
        made = self.assignment.folder / _WORK
        made.mkdir(parents=True, exist_ok=True)
        return made

    def cancelled(self) -> bool:
        """Whether the work was asked to end."""
        return self.asked

    def sleep(self, seconds: float) -> None:  # noqa: ARG002  the signature is the protocol's
        """Refused: it would stop every other task on this loop."""
        if self.asked:
            raise Cancelled
        raise RuntimeError("ctx.sleep would block the loop: in an `async def`, use `await asyncio.sleep(…)`")

    def remaining(self) -> float:
        """Seconds until the time limit."""
        return self._deadline - time.monotonic()

    def files(self) -> dict[str, File]:
        """The files that the params may name, as workloads see them."""
        return {
            one.id: File(id=one.id, name=one.name, size=one.size, sha256=one.sha256, path=one.path)
            for one in self.assignment.files.values()
        }

    def outcome(self, ending: Ending | Death, reason: Reason | None) -> Outcome:
        """What the attempt came to. Where it was asked to end before it ended, that is what counts."""
        if isinstance(ending, Unsuccessful) and ending.trace and reason is None:
            log.info(
                "task %s (%s), attempt %d: %s",
                self.assignment.task_id,
                self.description.name,
                self.assignment.attempt,
                ending.trace,
            )
        match reason:
            case "timeout":
                hint = "Give it less to do, or raise the workload's timeout."
                return Outcome.failure(
                    "timeout",
                    f"The task took longer than its limit of {_spoken(self.description.timeout_s)}.",
                    hint,
                )
            case "cancel":
                return Outcome(kind="cancelled")
            case "withdraw" | "abandon":
                return Outcome(kind="withdrawn")
        match ending:
            case Succeeded():
                return self._success(ending)
            case Death(breach=Breach() as breach):
                return Outcome.failure(breach.kind, breach.message, breach.hint)
            case Death(ours=True):
                return Outcome(kind="withdrawn")
            case Death():
                return self._crash(ending)
        return self._failure(ending)

    def _success(self, ending: Succeeded) -> Outcome:
        artifacts = tuple(kept for offer in ending.offers if (kept := self._artifact(offer)) is not None)
        return Outcome(
            kind="succeeded",
            result=ending.result.model_dump(mode="json"),
            summary=ending.result.summary,
            artifacts=artifacts,
        )

    def _failure(self, ending: Unsuccessful) -> Outcome:
        if ending.kind == "cancelled":
            return Outcome.failure("error", "The workload ended itself with Cancelled, though nobody had asked it to.")
        kind: Literal["error", "rejected"] = "rejected" if ending.kind == "rejected" else "error"
        return Outcome(
            kind="retry" if ending.kind == "retry" else "failed",
            retry_after=ending.after,
            error={"kind": kind, "message": ending.message, "hint": ending.hint},
        )

    def _crash(self, death: Death) -> Outcome:
        error: Problem = {"kind": "lost", "message": death.message, "hint": death.hint}
        return Outcome(kind="crashed", error=error)

    def _artifact(self, offer: Offered) -> ArtifactFile | None:
        # A child's word is checked: only a regular file inside the attempt's own folder goes out, whatever a symbolic link says.
        try:
            check_artifact_name(offer.name)
            path = offer.path.resolve(strict=True)
            if not path.is_file() or not path.is_relative_to(self.folder().resolve()):
                raise ValueError("it is no file in the task's folder")
        except (OSError, ValueError) as error:
            self.log("warning", f"artifact {offer.name!r} was left out: {error}")
            return None
        media_type = (
            offer.media_type
            if "/" in offer.media_type
            else mimetypes.guess_type(offer.name)[0] or "application/octet-stream"
        )
        return ArtifactFile(name=offer.name, media_type=media_type, path=path, size=path.stat().st_size)


def _spoken(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds:g} {'second' if seconds == 1 else 'seconds'}"
