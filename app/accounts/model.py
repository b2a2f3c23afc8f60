"""Who uses the service: a user, and the identity that a session proves. Pure."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Role = Literal["member", "operator"]
ROLES: Final[tuple[Role, ...]] = ("member", "operator")
USERNAME = re.compile(r"[\w.-]{3,32}")
USERNAME_RULE = "Take 3 to 32 letters, digits, dots, hyphens or underscores."


@dataclass(frozen=True, slots=True)
class User:
    """An account. `username` is shown as it was chosen; names that differ only in case or width are the same name.

    `password_hash` is what was proven: a session starts only while it still holds.
    """

    id: int
    username: str
    role: Role
    created_at: datetime
    password_hash: str = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a request or a socket acts for, and by which session (`session`: the SHA-256 of its token, 32 bytes)."""

    user_id: int
    username: str
    role: Role
    session: bytes

    @property
    def operates(self) -> bool:
        """Whether they see how the whole service does, and may pause and retry."""
        return self.role == "operator"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its user sees it. `name` tells it from the user's others and opens nothing; `own`: it is the one that asks."""

    name: str
    user_agent: str
    address: str
    started_at: datetime
    seen_at: datetime
    own: bool


@dataclass(frozen=True, slots=True)
class Revoked:
    """Sessions of one user that have just ended: what every process must forget, and whose sockets must close."""

    user_id: int
    sessions: tuple[bytes, ...]


def session_name(token_hash: bytes) -> str:
    """What a form calls a session: a hash of the hash, so that not even the latter leaves the service."""
    return hashlib.sha256(b"session name" + token_hash).hexdigest()[:16]


def normal_username(text: str) -> str:
    """The name as it is stored and shown: NFKC, without space around it."""
    return unicodedata.normalize("NFKC", text).strip()


def username_key(text: str) -> str:
    """What makes a name unique: its normal form, case folded."""
    return unicodedata.normalize("NFKC", normal_username(text).casefold())
