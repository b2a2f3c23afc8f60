"""The open pages that show how much somebody has not read: told when that changes by another page, on another device, in another process."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from app.events.fanout import Fanout

TOPIC: Final = "read"


class Readers:
    """Those of this process. What has changed, they read themselves."""

    def __init__(self, fanout: Fanout) -> None:
        self._fanout = fanout
        self._origin = secrets.token_hex(4)
        self._told: dict[int, set[Callable[[], None]]] = {}

    @contextlib.contextmanager
    def telling(self, user_id: int, changed: Callable[[], None]) -> Iterator[None]:
        """Call `changed` when the user has read more, or has muted something."""
        own = self._told.setdefault(user_id, set())
        own.add(changed)
        try:
            yield
        finally:
            own.discard(changed)
            if not own and self._told.get(user_id) is own:
                del self._told[user_id]

    async def changed(self, user_id: int) -> None:
        """Tell the user's pages everywhere: here at once, also while the broker is away; elsewhere by a signal, which may be lost."""
        self._tell(user_id)
        await self._fanout.signal(TOPIC, {"user": user_id, "origin": self._origin})

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Hear of other processes meanwhile."""
        job = asyncio.create_task(self._fanout.subscribe_signals(TOPIC, self._heed))
        try:
            yield
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    async def _heed(self, payload: dict[str, Any]) -> None:
        if payload["origin"] != self._origin:
            self._tell(payload["user"])

    def _tell(self, user_id: int) -> None:
        for changed in list(self._told.get(user_id, ())):
            changed()
