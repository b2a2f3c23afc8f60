"""Users and sessions in the database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from app.accounts.model import Identity, User
from app.db import Database, Row, moment

AT_ONCE = 500  # session hashes in one statement
STANDING = "s.expires_at > :now AND s.last_seen_at > :unused_since AND u.disabled_at IS NULL"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A user with the hash of the password; it never shows the hash."""

    user: User
    password_hash: str


class AccountStore:
    """The statements of users and sessions. Every method raises `Unavailable` where the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_user(self, *, username: str, key: str, password_hash: str, now: datetime) -> User | None:
        """A new user with an empty stream of events, in one commit. None: the name is taken."""
        async with self._db.transaction():
            row = await self._db.fetch_one(
                "INSERT INTO users (username, username_key, password_hash, created_at)"
                " VALUES (:username, :key, :password_hash, :now)"
                " ON CONFLICT (username_key) DO NOTHING RETURNING id, username, role, created_at",
                {"username": username, "key": key, "password_hash": password_hash, "now": now},
            )
            if row is None:
                return None
            await self._db.execute(
                "INSERT INTO streams (user_id, seq, floor) VALUES (:user_id, 0, 0)", {"user_id": row["id"]}
            )
        return _user(row)

    async def credentials(self, key: str) -> Credentials | None:
        """The user of that name key. None: nobody, or disabled."""
        row = await self._db.fetch_one(
            "SELECT id, username, role, created_at, password_hash FROM users"
            " WHERE username_key = :key AND disabled_at IS NULL",
            {"key": key},
        )
        return Credentials(_user(row), row["password_hash"]) if row else None

    async def replace_hash(self, user_id: int, *, old: str, new: str) -> None:
        """A new hash of the same password, unless the password has changed meanwhile."""
        await self._db.execute(
            "UPDATE users SET password_hash = :new WHERE id = :user_id AND password_hash = :old",
            {"user_id": user_id, "old": old, "new": new},
        )

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove sessions that have expired, at most so many; returns how many."""
        sql = """DELETE FROM sessions WHERE token_hash IN
        (SELECT token_hash FROM sessions WHERE expires_at <= :now ORDER BY expires_at LIMIT :most) RETURNING user_id"""
        return len(await self._db.fetch_all(sql, {"now": now, "most": most}))

    async def add_session(
        self,
        token_hash: bytes,
        user_id: int,
        *,
        now: datetime,
        expires_at: datetime,
        unused_since: datetime,
        user_agent: str,
        address: str,
    ) -> None:
        """A new session. The user's expired ones, and those unused since `unused_since`, go."""
        async with self._db.transaction():
            await self._db.execute(
                "DELETE FROM sessions"
                " WHERE user_id = :user_id AND (expires_at <= :now OR last_seen_at <= :unused_since)",
                {"user_id": user_id, "now": now, "unused_since": unused_since},
            )
            await self._db.execute(
                "INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at, user_agent, address)"
                " VALUES (:token_hash, :user_id, :now, :now, :expires_at, :user_agent, :address)",
                {
                    "token_hash": token_hash,
                    "user_id": user_id,
                    "now": now,
                    "expires_at": expires_at,
                    "user_agent": user_agent,
                    "address": address,
                },
            )

    async def session(
        self, token_hash: bytes, *, now: datetime, unused_since: datetime
    ) -> tuple[Identity, datetime] | None:
        """Whose session it is and when it was last seen. None: ended, expired, unused, or its user is disabled."""
        row = await self._db.fetch_one(
            "SELECT s.user_id, u.username, u.role, s.last_seen_at FROM sessions s JOIN users u ON u.id = s.user_id"
            f" WHERE s.token_hash = :token_hash AND {STANDING}",
            {"token_hash": token_hash, "now": now, "unused_since": unused_since},
        )
        return (
            (Identity(row["user_id"], row["username"], row["role"], token_hash), moment(row["last_seen_at"]))
            if row
            else None
        )

    async def touch(self, token_hash: bytes, *, now: datetime) -> None:
        """The session was used just now."""
        await self._db.execute(
            "UPDATE sessions SET last_seen_at = :now WHERE token_hash = :token_hash AND last_seen_at < :now",
            {"token_hash": token_hash, "now": now},
        )

    async def alive(self, sessions: Collection[bytes], *, now: datetime, unused_since: datetime) -> set[bytes]:
        """Those of `sessions` that still stand."""
        hashes, standing = list(sessions), set[bytes]()
        for start in range(0, len(hashes), AT_ONCE):
            names = {f"h{at}": token_hash for at, token_hash in enumerate(hashes[start : start + AT_ONCE])}
            marks = ", ".join(f":{name}" for name in names)
            rows = await self._db.fetch_all(
                "SELECT s.token_hash FROM sessions s JOIN users u ON u.id = s.user_id"
                f" WHERE s.token_hash IN ({marks}) AND {STANDING}",
                {**names, "now": now, "unused_since": unused_since},
            )
            standing.update(bytes(row["token_hash"]) for row in rows)
        return standing

    async def remove_session(self, token_hash: bytes) -> int | None:
        """End one session; the id of its user. None: there was none."""
        row = await self._db.fetch_one(
            "DELETE FROM sessions WHERE token_hash = :token_hash RETURNING user_id", {"token_hash": token_hash}
        )
        return row["user_id"] if row else None

    async def remove_sessions(self, user_id: int, *, keep: bytes | None) -> tuple[bytes, ...]:
        """End all sessions of the user but `keep`; the hashes of those that ended."""
        rows = await self._db.fetch_all(
            "DELETE FROM sessions WHERE user_id = :user_id AND token_hash <> :keep RETURNING token_hash",
            {"user_id": user_id, "keep": keep or b""},
        )
        return tuple(bytes(row["token_hash"]) for row in rows)


def _user(row: Row) -> User:
    return User(row["id"], row["username"], row["role"], moment(row["created_at"]))
