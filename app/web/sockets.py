"""The open sockets of this process: how many a user has, and closing them when their session ends."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from app.accounts import Identity, Sessions
from app.errors import Unavailable
from app.events.fanout import Fanout

log = logging.getLogger(__name__)

RECHECK: Final = 30.0  # seconds until an ended session is noticed whose signal was lost


class Sockets:
    """`most` sockets a user, in this process."""

    def __init__(self, sessions: Sessions, fanout: Fanout, *, most: int) -> None:
        self._sessions = sessions
        self._fanout = fanout
        self._most = most
        self._open: dict[int, dict[Callable[[], None], bytes]] = {}

    @property
    def number(self) -> int:
        """How many this process holds open."""
        return sum(len(own) for own in self._open.values())

    @contextlib.contextmanager
    def add(self, identity: Identity, end: Callable[[], None]) -> Iterator[bool]:
        """Count a socket while it is open: False where the user has too many. `end` is called when its session has ended."""
        own = self._open.setdefault(identity.user_id, {})
        if len(own) >= self._most:
            yield False
            return
        own[end] = identity.session
        try:
            yield True
        finally:
            own.pop(end, None)
            if not own:
                self._open.pop(identity.user_id, None)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Hear of ended sessions meanwhile: by signal at once, by a look at the database every 30 s."""
        jobs = [
            asyncio.create_task(self._fanout.subscribe_signals("session", self._heed)),
            asyncio.create_task(self._recheck()),
        ]
        try:
            yield
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _heed(self, payload: dict[str, Any]) -> None:
        self._end({bytes.fromhex(session) for session in payload["sessions"]})

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK)
            try:
                self._end(
                    await self._sessions.ended({session for own in self._open.values() for session in own.values()})
                )
            except Unavailable as error:
                log.debug("recheck put off: %s", error)
            except Exception:
                # Without this task an ended session could go on listening.
                log.exception("sessions could not be rechecked")

    def _end(self, ended: set[bytes]) -> None:
        for session in ended:
            self._sessions.forget(session)
        for end in [end for own in self._open.values() for end, session in own.items() if session in ended]:
            end()
