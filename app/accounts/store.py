"""Users and sessions in the database."""

from collections.abc import Collection
from datetime import datetime

from app.accounts.model import ROLES, Identity, OpenSession, Role, User, session_name
from app.db import Database, Row, moment

AT_ONCE = 500  # session hashes in one statement
STANDING = "s.expires_at > :now AND s.last_seen_at > :unused_since AND u.disabled_at IS NULL"
USER = "id, username, role, created_at, password_hash"


class AccountStore:
    """The statements of users and sessions. Every method raises `Unavailable` where the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_user(
        self, *, username: str, key: str, password_hash: str, now: datetime, role: Role, first_operates: bool
    ) -> User | None:
        """A new user with an empty stream of events, in one commit. None: the name is taken. `first_operates`: the first of all is an operator."""
        async with self._db.transaction():
            if first_operates and await self._is_first():
                role = "operator"
            row = await self._db.fetch_one(
                "INSERT INTO users (username, username_key, password_hash, role, created_at)"
                " VALUES (:username, :key, :password_hash, :role, :now)"
                f" ON CONFLICT (username_key) DO NOTHING RETURNING {USER}",
                {"username": username, "key": key, "password_hash": password_hash, "role": role, "now": now},
            )
            if row is None:
                return None
            await self._db.execute(
                "INSERT INTO streams (user_id, seq, floor) VALUES (:user_id, 0, 0)", {"user_id": row["id"]}
            )
        return _user(row)

    async def _is_first(self) -> bool:
        # Of two who sign up at once, neither sees the other: the second one waits at this row until the first has committed.
        sql = """INSERT INTO meta (key, value) SELECT 'first_user', '' WHERE NOT EXISTS (SELECT 1 FROM users)
        ON CONFLICT (key) DO NOTHING RETURNING key"""
        return await self._db.fetch_one(sql) is not None

    async def set_role(self, key: str, role: Role) -> User | None:
        """Another role for the user of that name key. None: there is none."""
        row = await self._db.fetch_one(
            f"UPDATE users SET role = :role WHERE username_key = :key RETURNING {USER}", {"key": key, "role": role}
        )
        return _user(row) if row else None

    async def users(self) -> list[User]:
        """Everybody, by name."""
        rows = await self._db.fetch_all(f"SELECT {USER} FROM users WHERE disabled_at IS NULL ORDER BY username_key")
        return [_user(row) for row in rows]

    async def user_named(self, key: str) -> User | None:
        """The user of that name key. None: nobody, or disabled."""
        row = await self._db.fetch_one(
            f"SELECT {USER} FROM users WHERE username_key = :key AND disabled_at IS NULL", {"key": key}
        )
        return _user(row) if row else None

    async def replace_hash(self, user_id: int, *, old: str, new: str) -> bool:
        """Another hash, of the same or another password. False: it was not the old one any more."""
        row = await self._db.fetch_one(
            "UPDATE users SET password_hash = :new WHERE id = :user_id AND password_hash = :old RETURNING id",
            {"user_id": user_id, "old": old, "new": new},
        )
        return row is not None

    async def change_password(self, user_id: int, *, old: str, new: str, keep: bytes) -> tuple[bytes, ...] | None:
        """Another password; all sessions but `keep` end with the same commit: their hashes. None: it was not the old one any more."""
        async with self._db.transaction():
            if not await self.replace_hash(user_id, old=old, new=new):
                return None
            return await self.remove_sessions(user_id, keep=keep)

    async def remove_expired(self, now: datetime, *, most: int) -> int:
        """Remove sessions that have expired, at most so many; returns how many."""
        sql = """DELETE FROM sessions WHERE token_hash IN
        (SELECT token_hash FROM sessions WHERE expires_at <= :now ORDER BY expires_at LIMIT :most) RETURNING user_id"""
        return len(await self._db.fetch_all(sql, {"now": now, "most": most}))

    async def add_session(
        self,
        token_hash: bytes,
        user: User,
        *,
        now: datetime,
        expires_at: datetime,
        unused_since: datetime,
        user_agent: str,
        address: str,
    ) -> bool:
        """A new session; the user's expired ones, and those unused since `unused_since`, go.

        False: the password has changed since it was proven, or the user is disabled.
        """
        async with self._db.transaction():
            # Holds the row until the commit: a change of the password that comes at the same time either makes this find
            # nothing, or waits and then ends the new session with the others.
            held = await self._db.fetch_one(
                "UPDATE users SET password_hash = password_hash"
                " WHERE id = :user_id AND password_hash = :password_hash AND disabled_at IS NULL RETURNING id",
                {"user_id": user.id, "password_hash": user.password_hash},
            )
            if held is None:
                return False
            await self._db.execute(
                "DELETE FROM sessions"
                " WHERE user_id = :user_id AND (expires_at <= :now OR last_seen_at <= :unused_since)",
                {"user_id": user.id, "now": now, "unused_since": unused_since},
            )
            await self._db.execute(
                "INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at, user_agent, address)"
                " VALUES (:token_hash, :user_id, :now, :now, :expires_at, :user_agent, :address)",
                {
                    "token_hash": token_hash,
                    "user_id": user.id,
                    "now": now,
                    "expires_at": expires_at,
                    "user_agent": user_agent,
                    "address": address,
                },
            )
        return True

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
            (Identity(row["user_id"], row["username"], _role(row), token_hash), moment(row["last_seen_at"]))
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

    async def open_sessions(
        self, user_id: int, *, own: bytes, now: datetime, unused_since: datetime, most: int
    ) -> list[OpenSession]:
        """The user's standing sessions: `own` first, then the last used ones; at most so many."""
        rows = await self._db.fetch_all(
            "SELECT s.token_hash, s.user_agent, s.address, s.created_at, s.last_seen_at"
            f" FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = :user_id AND {STANDING}"
            " ORDER BY CASE WHEN s.token_hash = :own THEN 0 ELSE 1 END, s.last_seen_at DESC, s.token_hash LIMIT :most",
            {"user_id": user_id, "own": own, "now": now, "unused_since": unused_since, "most": most},
        )
        return [
            OpenSession(
                session_name(bytes(row["token_hash"])),
                row["user_agent"],
                row["address"],
                moment(row["created_at"]),
                moment(row["last_seen_at"]),
                bytes(row["token_hash"]) == own,
            )
            for row in rows
        ]

    async def session_hashes(self, user_id: int) -> list[bytes]:
        """The hashes of all the user's sessions."""
        rows = await self._db.fetch_all(
            "SELECT token_hash FROM sessions WHERE user_id = :user_id", {"user_id": user_id}
        )
        return [bytes(row["token_hash"]) for row in rows]

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
    return User(row["id"], row["username"], _role(row), moment(row["created_at"]), row["password_hash"])


def _role(row: Row) -> Role:
    """Whatever an earlier release has called it, only an operator operates."""
    return next((role for role in ROLES if role == row["role"]), "member")
