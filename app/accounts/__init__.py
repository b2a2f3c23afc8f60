"""Accounts: users, their passwords and their sessions."""

from app.accounts.accounts import Accounts, WrongCredentials
from app.accounts.limits import Limits
from app.accounts.model import Identity, OpenSession, Revoked, Role, User
from app.accounts.passwords import Passwords
from app.accounts.sessions import Sessions

__all__ = [
    "Accounts",
    "Identity",
    "Limits",
    "OpenSession",
    "Passwords",
    "Revoked",
    "Role",
    "Sessions",
    "User",
    "WrongCredentials",
]
