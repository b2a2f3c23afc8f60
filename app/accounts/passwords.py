"""Passwords: what is taken, and argon2id off the event loop."""

import asyncio
import gzip
import os
import secrets
import unicodedata
from importlib.resources import files

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 8  # code points; OWASP ASVS 5.0, 6.2.1
LONGEST = 1024
# OWASP's password storage cheat sheet: at least 19 MiB, two passes, one lane; about 30 ms of one core.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1


class Passwords:
    """Checks new passwords, hashes and verifies.

    Make it once a process: it reads the list of common passwords and makes one hash (about 30 ms).
    """

    def __init__(self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES, lanes: int = LANES) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes, type=Type.ID)
        self._common = _common_passwords()
        # Half the cores at most: a burst of sign-ins must leave room for everybody who is already in.
        self._turns = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // 2))
        self._nobody = self._hasher.hash(secrets.token_bytes(16))

    def problem(self, password: str) -> str | None:
        """Why `password` cannot be taken, in a sentence, or None.

        Any character will do, no composition is asked for (OWASP ASVS 5.0, 6.2.5); length is code points after NFKC.
        """
        text = unicodedata.normalize("NFKC", password)
        if len(text) < SHORTEST:
            return f"Use at least {SHORTEST} characters."
        if len(text) > LONGEST:
            return f"Use at most {LONGEST:,} characters."
        if text.casefold() in self._common:
            return "This is one of the most common passwords; choose another."
        return None

    async def hash(self, password: str) -> str:
        """An encoded argon2id hash with its own salt and parameters."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _octets(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether `password` made the hash. Without a hash (nobody has that name): no, after the same time."""
        async with self._turns:
            return (
                await asyncio.to_thread(self._verify, encoded or self._nobody, _octets(password))
                and encoded is not None
            )

    def _verify(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's, so that it is due to be made again."""
        return self._hasher.check_needs_rehash(encoded)


def _octets(password: str) -> bytes:
    # NFKC as NIST SP 800-63B 3.1.1.2 advises: keyboards differ in how they compose the same characters.
    # A lone surrogate is a wrong password, not an error.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _common_passwords() -> frozenset[str]:
    packed = files("app.accounts").joinpath("common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split("\n"))
