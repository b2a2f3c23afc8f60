"""Who uses the service: a user, and the identity that a session proves. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

USERNAME = re.compile(r"[\w.-]{3,32}")
USERNAME_RULE = "Take 3 to 32 letters, digits, dots, hyphens or underscores."


@dataclass(frozen=True, slots=True)
class User:
    """An account. `username` is shown as it was chosen; names that differ only in case or width are the same name."""

    id: int
    username: str
    role: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a request or a socket acts for, and by which session (`session`: the SHA-256 of its token, 32 bytes)."""

    user_id: int
    username: str
    role: str
    session: bytes


@dataclass(frozen=True, slots=True)
class Revoked:
    """Sessions of one user that have just ended: what every process must forget, and whose sockets must close."""

    user_id: int
    sessions: tuple[bytes, ...]


def normal_username(text: str) -> str:
    """The name as it is stored and shown: NFKC, without space around it."""
    return unicodedata.normalize("NFKC", text).strip()


def username_key(text: str) -> str:
    """What makes a name unique: its normal form, case folded."""
    return unicodedata.normalize("NFKC", normal_username(text).casefold())
