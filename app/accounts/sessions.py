"""Sessions: an opaque random token in a signed cookie.

The database has only the token's hash, so that a copy of the database opens no door.
"""

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from itsdangerous import BadSignature, Signer

from app.accounts.model import Identity, OpenSession, Revoked, User, session_name
from app.accounts.store import AccountStore
from app.db import Database
from app.errors import Unauthenticated, Unavailable

log = logging.getLogger(__name__)

IDLE = timedelta(days=14)  # a session that nobody uses ends
ABSOLUTE = timedelta(days=90)  # every session ends
TOUCH_AFTER = timedelta(minutes=5)  # between two writes of "last seen"
FRESH = 5.0  # seconds that a process believes what it has read; a SELECT a request would halve the throughput
KNOWN = 10_000  # sessions remembered
PRUNED_AT_ONCE = 500  # expired sessions that one statement forgets
TOKEN_BYTES = 32
LONGEST_COOKIE = 200  # characters; ours have 87

Identified = Identity | None


async def _nobody_listens(revoked: Revoked) -> None:
    """One process alone has nobody to tell."""


class Sessions:
    """Starts, proves and ends sessions.

    `on_revoked` is awaited after sessions have ended in the database, to tell the other processes and the sockets.
    """

    def __init__(
        self,
        db: Database,
        secret_key: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        fresh: float = FRESH,
        on_revoked: Callable[[Revoked], Awaitable[None]] = _nobody_listens,
    ) -> None:
        self._store = AccountStore(db)
        self._signer = Signer(secret_key, salt="taskline.session", digest_method=hashlib.sha256)
        self._clock = clock
        self._fresh = fresh
        self._on_revoked = on_revoked
        self._known: dict[bytes, tuple[float, Identified]] = {}
        self._lookups: dict[bytes, asyncio.Task[Identified]] = {}
        # Pure, so that it may be remembered for ever; which user it is may not.
        self._hash_of = lru_cache(maxsize=KNOWN)(self._unsign)

    async def start(self, user: User, *, user_agent: str, address: str) -> str:
        """A new session; returns the value of its cookie, which nobody can have again.

        Raises `Unauthenticated` where the user's password has changed since it was proven.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES).encode()
        now = self._clock()
        started = await self._store.add_session(
            _hash(token),
            user,
            now=now,
            expires_at=now + ABSOLUTE,
            unused_since=now - IDLE,
            user_agent=user_agent[:200],
            address=address,
        )
        if not started:
            raise Unauthenticated
        return self._signer.sign(token).decode()

    async def identify(self, cookie: str) -> Identity | None:
        """Whose session the cookie proves, as of at most five seconds ago, less where its end was signalled. Raises `Unavailable`."""
        token_hash = self._hash_of(cookie) if len(cookie) <= LONGEST_COOKIE else None
        if token_hash is None:
            return None
        known = self._known.get(token_hash)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        # Requests that come together share one read.
        lookup = self._lookups.get(token_hash)
        if lookup is None:
            lookup = self._lookups[token_hash] = asyncio.create_task(self._read(token_hash))
        return await asyncio.shield(lookup)

    async def ended(self, sessions: Collection[bytes]) -> set[bytes]:
        """Those of `sessions` that have ended by now, as the database says: for the recheck of open sockets.

        Raises `Unavailable`.
        """
        now = self._clock()
        return set(sessions) - await self._store.alive(sessions, now=now, unused_since=now - IDLE)

    async def open_of(self, who: Identity, *, most: int) -> list[OpenSession]:
        """The sessions of this user: the own one first, then the last used ones; at most so many. Raises `Unavailable`."""
        now = self._clock()
        return await self._store.open_sessions(
            who.user_id, own=who.session, now=now, unused_since=now - IDLE, most=most
        )

    async def end_named(self, who: Identity, name: str) -> None:
        """End the session of the same user that has this name. None is no error: it may just have ended."""
        for token_hash in await self._store.session_hashes(who.user_id):
            if session_name(token_hash) == name:
                await self.end(token_hash)

    async def end(self, token_hash: bytes) -> None:
        """Log out: this session ends everywhere."""
        user_id = await self._store.remove_session(token_hash)
        self.forget(token_hash)
        if user_id is not None:
            await self.tell(Revoked(user_id, (token_hash,)))

    async def end_all(self, user_id: int, *, keep: bytes | None = None) -> int:
        """End every session of the user but `keep`; returns how many ended."""
        ended = await self._store.remove_sessions(user_id, keep=keep)
        await self.tell(Revoked(user_id, ended))
        return len(ended)

    async def tell(self, revoked: Revoked) -> None:
        """Make it known that these sessions have ended in the database."""
        for token_hash in revoked.sessions:
            self.forget(token_hash)
        if revoked.sessions:
            await self._on_revoked(revoked)

    async def prune(self) -> int:
        """Forget sessions that have expired; returns how many. Raises `Unavailable`."""
        pruned = 0
        while count := await self._store.remove_expired(self._clock(), most=PRUNED_AT_ONCE):
            pruned += count
        return pruned

    def forget(self, token_hash: bytes) -> None:
        """Believe nothing about this session any more; to be called when another process has ended it."""
        self._known.pop(token_hash, None)
        self._lookups.pop(token_hash, None)

    async def _read(self, token_hash: bytes) -> Identified:
        try:
            identity = await self._find(token_hash)
        finally:
            # A read that was forgotten meanwhile may have seen the session before it ended: it must not be remembered.
            current = self._lookups.get(token_hash) is asyncio.current_task()
            if current:
                del self._lookups[token_hash]
        if current:
            self._known.pop(token_hash, None)
            if len(self._known) >= KNOWN:
                del self._known[next(iter(self._known))]
            self._known[token_hash] = (time.monotonic() + self._fresh, identity)
        return identity

    async def _find(self, token_hash: bytes) -> Identified:
        now = self._clock()
        found = await self._store.session(token_hash, now=now, unused_since=now - IDLE)
        if found is None:
            return None
        identity, seen_at = found
        if now - seen_at >= TOUCH_AFTER:
            # Being seen a little later than it was costs nobody the session; a failed write must not cost the request.
            with contextlib.suppress(Unavailable):
                await self._store.touch(token_hash, now=now)
        return identity

    def _unsign(self, cookie: str) -> bytes | None:
        try:
            return _hash(self._signer.unsign(cookie))
        except BadSignature:
            return None


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
