"""Checking a task's params against its workload's schema and its owner's files, before it is accepted."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.artifacts.files import Files
from app.catalogue import Workload
from app.errors import NotFound
from taskline.checking import file_params, problems_of, validator_of


class ParamsChecker:
    """Keeps a compiled validator for each version of each workload."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._validators: dict[tuple[str, int], Any] = {}

    async def problems(self, user_id: int, workload: Workload, params: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong, by the name of the param; empty where all is well."""
        found = problems_of(self._validator(workload), params)
        for name in file_params(workload.schema):
            if name not in found and params.get(name) is not None:
                try:
                    await self._use(user_id, params[name])
                except (NotFound, ValueError):
                    found[name] = (
                        "is not a file that you uploaded; send it to /api/v1/files first and use the id of the answer"
                    )
        return found

    async def _use(self, user_id: int, text: str) -> None:
        # In no other form: what still needs a file is found by this text.
        if str(file_id := UUID(text)) != text:
            raise ValueError(text)
        await self._files.use(user_id, file_id)

    def _validator(self, workload: Workload) -> Any:
        at = (workload.name, workload.version)
        if at not in self._validators:
            self._validators[at] = validator_of(workload.schema)
        return self._validators[at]
