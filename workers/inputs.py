"""The uploaded files that a task's params name, fetched to this machine."""

import asyncio
import logging
import time
from typing import Any, Final
from uuid import UUID

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.errors import NotFound, Unavailable
from app.tasks.model import Claim
from taskline.checking import file_params
from workers.assignment import LocalFile
from workers.execution import Execution
from workers.running import Running

log = logging.getLogger(__name__)

WITHIN: Final = 60.0  # seconds that the database or the store of files may be away; that is not the task's fault
AGAIN: Final = 0.5  # seconds between two tries


class Inputs:
    """Fetches files into the folders of attempts."""

    def __init__(self, files: Files, artifacts: ArtifactStore, execution: Execution) -> None:
        self._files = files
        self._artifacts = artifacts
        self._execution = execution

    async def fetch(self, running: Running) -> dict[str, LocalFile]:
        """The files by id. Raises `NotFound`; `Unavailable` where a part stays away, or is away when the attempt is asked to end."""
        until = time.monotonic() + WITHIN
        while True:
            try:
                return await self._fetch(running)
            except Unavailable as error:
                if time.monotonic() > until or running.stop.reason is not None:
                    raise
                log.warning("task %s: cannot fetch its files yet: %s", running.claim.id, error)
                await asyncio.sleep(AGAIN)

    async def _fetch(self, running: Running) -> dict[str, LocalFile]:
        claim, found = running.claim, {}
        named = self._named(claim)
        for text in claim.params.values() if named is None else named:
            if (file_id := _id(text)) is None or text in found:
                continue
            try:
                file = await self._files.get(claim.user_id, file_id)
            except NotFound:
                if named is None:  # a text that only looks like the id of a file
                    continue
                raise
            path = await self._artifacts.local(file.key, running.folder)
            found[text] = LocalFile(id=text, name=file.name, size=file.size, sha256=file.sha256, path=path)
        return found

    def _named(self, claim: Claim) -> list[Any] | None:
        """What the schema says are ids of files; None where the params are older than it, so that each of them may be one."""
        known = self._execution.description(claim.workload)
        if known is None or claim.version > known.version:  # the attempt will not run here
            return []
        return None if claim.version < known.version else [claim.params.get(name) for name in file_params(known.schema)]


def _id(text: Any) -> UUID | None:
    """The id that `text` is, in the only form in which the service takes one."""
    try:
        file_id = UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return file_id if str(file_id) == text else None
