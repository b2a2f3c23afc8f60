"""Signing up and signing in: what both the pages and the API call."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from app.accounts.limits import Limits
from app.accounts.model import USERNAME, USERNAME_RULE, Identity, Revoked, Role, User, normal_username, username_key
from app.accounts.passwords import Passwords
from app.accounts.store import AccountStore
from app.db import Database
from app.errors import Invalid, NotFound, TooMany, Unauthenticated

log = logging.getLogger(__name__)

NOT_CURRENT = "This is not your current password."


class WrongCredentials(Unauthenticated):
    """The username or the password is wrong."""


class Accounts:
    """Users by name and password. `address` is the client's; without one (the command line) no rate is limited.

    `first_operates`: the first account of all is an operator's. Else nobody becomes one by signing up.
    """

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        limits: Limits,
        *,
        first_operates: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = AccountStore(db)
        self._passwords = passwords
        self._limits = limits
        self._first_operates = first_operates
        self._clock = clock

    async def sign_up(self, username: str, password: str, *, address: str | None = None, role: Role = "member") -> User:
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
            username=name,
            key=username_key(name),
            password_hash=hashed,
            now=self._clock(),
            role=role,
            first_operates=self._first_operates,
        )
        if user is None:
            raise Invalid("The account was not made.", fields={"username": "This name is taken; choose another."})
        log.info("sign-up: user %d, %s, from %s", user.id, user.role, address or "the command line")
        return user

    async def appoint(self, username: str, role: Role) -> User:
        """Another role for a user; sessions know of it within five seconds. Raises `NotFound`, `Unavailable`."""
        user = await self._store.set_role(username_key(username), role)
        if user is None:
            raise NotFound(f"There is no user {username}.", hint="taskline user list names everybody.")
        log.info("user %d has the role %s now", user.id, role)
        return user

    async def everybody(self) -> list[User]:
        """The users, by name. Raises `Unavailable`."""
        return await self._store.users()

    async def sign_in(self, username: str, password: str, *, address: str | None = None) -> User:
        """The user whose name and password these are.

        Raises `TooMany`, `Unavailable`, `WrongCredentials` (the same, and as late, whichever of the two is wrong).
        """
        known, right = await self._prove(username_key(username), password, address)
        if known is None or not right:
            # The name is not logged: people type passwords into the wrong field.
            log.warning("sign-in refused: %s from %s", f"user {known.id}" if known else "unknown name", address)
            raise WrongCredentials(fields={"password": WrongCredentials.__doc__ or ""})
        if self._passwords.outdated(known.password_hash):
            stronger = await self._passwords.hash(password)
            if not await self._store.replace_hash(known.id, old=known.password_hash, new=stronger):
                return await self.sign_in(username, password, address=address)  # another was quicker: look again
            known = replace(known, password_hash=stronger)
        log.info("sign-in: user %d from %s", known.id, address)
        return known

    async def change_password(self, who: Identity, current: str, new: str, *, address: str | None = None) -> Revoked:
        """Another password; the user's sessions but this one have ended, which `Sessions.tell` makes known.

        Raises `Invalid` with `current` and `new` among its fields, `TooMany`, `Unavailable`.
        """
        known, right = await self._prove(username_key(who.username), current, address)
        if known is None or not right:
            log.warning("change of password refused: user %d from %s", who.user_id, address)
        problems = {
            "current": None if known and right else NOT_CURRENT,
            "new": self._passwords.problem(new) or ("Choose another than the current one." if current == new else None),
        }
        fields = {field: problem for field, problem in problems.items() if problem}
        if known is None or fields:
            raise Invalid("The password was not changed.", fields=fields)
        ended = await self._store.change_password(
            known.id, old=known.password_hash, new=await self._passwords.hash(new), keep=who.session
        )
        if ended is None:
            return await self.change_password(who, current, new, address=address)  # another was quicker: look again
        log.info("change of password: user %d from %s, %d sessions ended", known.id, address, len(ended))
        return Revoked(known.id, ended)

    async def _prove(self, key: str, password: str, address: str | None) -> tuple[User | None, bool]:
        """The user of that name key, if any, and whether the password is theirs; as late where there is none. Raises `TooMany`."""
        if address is not None:
            try:
                await self._limits.sign_in(address, key[:64])
            except TooMany:
                log.warning("sign-in refused: too many tries from %s", address)
                raise
        known = await self._store.user_named(key)
        right = await self._passwords.verify(known.password_hash if known else None, password)
        if right and address is not None:
            await self._limits.signed_in(address, key[:64])
        return known, right
