"""The moves of a task: every write, each conditional, each with its event in the same commit. Both databases implement them; one suite tests both."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.tasks.model import Cause, Claim, Draft, Ending, Event, LogPiece, Mark


class Moves(Protocol):
    """Batches in, events out. Every method raises `Unavailable`; after that it is unknown whether the write happened."""

    async def submit(self, drafts: Sequence[Draft]) -> Sequence[Event | None]:
        """Accept tasks (to `queued`). None where the draft's key was taken already: read the key, in a new statement, and compare."""
        ...

    async def start(self, draft: Draft, cause: Cause) -> Event | None:
        """Accept a task for its cause, and mark the cause as used. None where it was used before, or is gone: nothing was written."""
        ...

    async def claim(
        self,
        worker: UUID,
        lane: str,
        able: Mapping[str, int],
        limit: int,
        *,
        token: UUID | None = None,
        oldest: int = 0,
    ) -> Sequence[Claim]:
        """Take the best due tasks of a lane (to `running`) among the workloads, with the newest version known, in `able`; none of a version before `oldest`.

        They are claimed under `token`, or a new one. After `Unavailable` the claim may stand all the same: `under` tells.
        """
        ...

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Event | None]:
        """End attempts. None where the claim no longer holds: nothing was written."""
        ...

    async def cancel(self, user_id: int, task_ids: Sequence[UUID]) -> Sequence[Event]:
        """Cancel what is queued, ask to cancel what is running. Nothing for a task that has ended, was asked before, or is not the user's."""
        ...

    async def delete(self, user_id: int, task_id: UUID) -> Event | None:
        """Delete a terminal task; its events keep their place with an emptied card. None where there is no such task."""
        ...

    async def heartbeat(self, tokens: Mapping[UUID, UUID]) -> Mapping[UUID, bool]:
        """Extend the leases of claims ({task: token}). The answer has the claims that still hold, and whether a cancel was asked for."""
        ...

    async def under(self, token: UUID) -> Sequence[tuple[UUID, int]]:
        """What runs under a token: (task, attempt). For a claim of which no answer came."""
        ...

    async def mark(self, marks: Sequence[Mark]) -> None:
        """Keep progress where the claim still holds."""
        ...

    async def keep_log(self, pieces: Sequence[LogPiece]) -> None:
        """Keep lines of logs where the claim still holds, and forget what is too much. The same piece may come again, with more lines."""
        ...

    async def reap(
        self, held: Collection[UUID], *, limit: int = 100, ahead: float = 0.0, at: datetime | None = None
    ) -> Sequence[Event]:
        """Take tasks from dead workers: leases that end within `ahead` seconds, but never the claims of which the caller holds the tokens.

        `at`: an instant of the database's clock that counts as now. A call that a frozen database answers late does not find leases then that ended meanwhile.
        """
        ...
