"""How often one client may sign up and try to sign in.

Counted in this process, by address and never by user alone, so that nobody can lock another out.
"""

import ipaddress
import math
import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from app.errors import TooMany

# Wrong passwords for one name from one address, whatever the wider limit is set to.
WRONG_PASSWORDS = "10/minute"


class Limits:
    """Rates are strings such as "20/minute": a window opens with the first try and takes that many until it closes."""

    def __init__(self, *, sign_ups: str, sign_ins: str, requests: str) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._sign_ups = parse(sign_ups)
        self._sign_ins = parse(sign_ins)
        self._wrong = parse(WRONG_PASSWORDS)
        self._requests = parse(requests)

    async def sign_up(self, address: str) -> None:
        """Count a sign-up. Raises `TooMany`."""
        await self._count(self._sign_ups, "sign-up", _network(address))

    async def sign_in(self, address: str, username_key: str) -> None:
        """Count a try to sign in. Raises `TooMany`, also after many wrong passwords for this name from this address."""
        network = _network(address)
        await self._count(self._sign_ins, "sign-in", network)
        # Counted before the password is looked at: tries that run at the same time must not all pass.
        await self._count(self._wrong, "wrong-password", network, username_key)

    async def request(self, user_id: int) -> None:
        """Count a request of somebody signed in. Raises `TooMany`."""
        await self._count(self._requests, "request", str(user_id))

    async def signed_in(self, address: str, username_key: str) -> None:
        """The password was right: its tries were no guesses."""
        await self._limiter.clear(self._wrong, "wrong-password", _network(address), username_key)

    async def _count(self, rate: RateLimitItem, *key: str) -> None:
        if not await self._limiter.hit(rate, *key):
            closes, _ = await self._limiter.get_window_stats(rate, *key)
            seconds = max(1, math.ceil(closes - time.time()))
            raise TooMany(retry_after=seconds, hint=f"Try again in {seconds} seconds.")


def _network(address: str) -> str:
    """The address, or the /64 of an IPv6 one: one customer has all of those."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return address
