"""Signing up and signing in: what both the pages and the API call."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from app.accounts.limits import Limits
from app.accounts.model import USERNAME, USERNAME_RULE, User, normal_username, username_key
from app.accounts.passwords import Passwords
from app.accounts.store import AccountStore
from app.db import Database
from app.errors import Invalid, TooMany, Unauthenticated

log = logging.getLogger(__name__)


class WrongCredentials(Unauthenticated):
    """The username or the password is wrong."""


class Accounts:
    """Users by name and password. `address` is the client's; without one (the command line) no rate is limited."""

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        limits: Limits,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = AccountStore(db)
        self._passwords = passwords
        self._limits = limits
        self._clock = clock

    async def sign_up(self, username: str, password: str, *, address: str | None = None) -> User:
        """A new user. Raises `Invalid` with `username` and `password` among its fields, `TooMany`, `Unavailable`."""
        name = normal_username(username)
        problems = {
            "username": None if USERNAME.fullmatch(name) else USERNAME_RULE,
            "password": self._passwords.problem(password),
        }
        fields = {field: problem for field, problem in problems.items() if problem}
        if fields:
            raise Invalid("The account was not made.", fields=fields)
        if address is not None:
            await self._limits.sign_up(address)
        hashed = await self._passwords.hash(password)
        user = await self._store.add_user(
            username=name, key=username_key(name), password_hash=hashed, now=self._clock()
        )
        if user is None:
            raise Invalid("The account was not made.", fields={"username": "This name is taken; choose another."})
        log.info("sign-up: user %d from %s", user.id, address)
        return user

    async def sign_in(self, username: str, password: str, *, address: str | None = None) -> User:
        """The user whose name and password these are.

        Raises `TooMany`, `Unavailable`, `WrongCredentials` (the same, and as late, whichever of the two is wrong).
        """
        key = username_key(username)
        if address is not None:
            try:
                await self._limits.sign_in(address, key[:64])
            except TooMany:
                log.warning("sign-in refused: too many tries from %s", address)
                raise
        known = await self._store.credentials(key)
        right = await self._passwords.verify(known.password_hash if known else None, password)
        if known is None or not right:
            # The name is not logged: people type passwords into the wrong field.
            log.warning("sign-in refused: %s from %s", f"user {known.user.id}" if known else "unknown name", address)
            raise WrongCredentials(fields={"password": WrongCredentials.__doc__ or ""})
        if address is not None:
            await self._limits.signed_in(address, key[:64])
        if self._passwords.outdated(known.password_hash):
            await self._store.replace_hash(
                known.user.id, old=known.password_hash, new=await self._passwords.hash(password)
            )
        log.info("sign-in: user %d from %s", known.user.id, address)
        return known.user
