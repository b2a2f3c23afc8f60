"""The uploaded files that a task's params name, fetched to this machine."""

import asyncio
import logging
import time
from typing import Final
from uuid import UUID

from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.errors import Unavailable
from app.tasks.params import file_params
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
        for name in file_params(self._execution.schema(claim.workload)):
            if (file_id := claim.params.get(name)) is not None:
                file = await self._files.get(claim.user_id, UUID(file_id))
                path = await self._artifacts.local(file.key, running.folder)
                found[file_id] = LocalFile(id=file_id, name=file.name, size=file.size, sha256=file.sha256, path=path)
        return found
