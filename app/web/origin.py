"""Where a request came from, by the headers that browsers write and pages cannot. Pure.

No cookie of ours is obeyed on behalf of another site.
"""

from starlette.datastructures import Headers
from starlette.types import Scope


def is_secure(scope: Scope, public_url: str | None) -> bool:
    """Whether the browser reaches us by https: by the public address where it is set, else by this connection."""
    return public_url.startswith("https://") if public_url else scope["scheme"] in ("https", "wss")


def own_origin(scope: Scope, headers: Headers, public_url: str | None) -> str:
    """The origin that browsers have for this service: what was set, else the request's scheme and Host header."""
    return public_url or f"{'https' if is_secure(scope, None) else 'http'}://{headers.get('host', '')}"


def same_origin(headers: Headers, own: str) -> bool:
    """Whether a request may change something. Without either header no browser sent it (OWASP ASVS 5.0, 3.5.1)."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.lower() == own.lower()


def own_page(headers: Headers, own: str) -> bool:
    """Whether a page of this service opens the socket. Browsers always send Origin there (4.4.2)."""
    return headers.get("origin", "").lower() == own.lower()
