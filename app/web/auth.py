"""Sessions over HTTP and websockets: the cookie, whom it proves, and what may open a socket."""

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from app.accounts import Identity, Sessions, User
from app.accounts.sessions import ABSOLUTE
from app.errors import Unauthenticated
from app.resources import Resources
from app.web.origin import is_secure, own_origin, own_page


async def identify(connection: HTTPConnection) -> Identity | None:
    """Whom the request or socket acts for. None: no session, or an ended one.

    Asked once a request and kept as `connection.state.identity`. Raises `Unavailable`.
    """
    state = connection.scope.setdefault("state", {})
    if "identity" not in state:
        cookie = connection.cookies.get(_cookie(connection))
        state["identity"] = await _sessions(connection).identify(cookie) if cookie else None
    identity: Identity | None = state["identity"]
    return identity


async def require(connection: HTTPConnection) -> Identity:
    """Whom the request acts for. Raises `Unauthenticated` (401 for the API, the login page for a page) and `TooMany`."""
    identity = await identify(connection)
    if identity is None:
        raise Unauthenticated
    resources: Resources = connection.app.state.resources
    await resources.limits.request(identity.user_id)
    return identity


async def start_session(request: Request, response: Response, user: User) -> None:
    """Sign `user` in on this browser by a new session; an earlier one of the browser ends (OWASP ASVS 5.0, 7.2.4)."""
    earlier = await identify(request)
    if earlier is not None:
        await _sessions(request).end(earlier.session)
    cookie = await _sessions(request).start(
        user, user_agent=request.headers.get("user-agent", ""), address=address(request)
    )
    response.set_cookie(
        _cookie(request),
        cookie,
        max_age=int(ABSOLUTE.total_seconds()),
        path="/",
        secure=secure(request),
        httponly=True,
        samesite="lax",
    )


async def end_session(request: Request, response: Response) -> None:
    """Log this browser out: its session ends everywhere. Without a session nothing happens."""
    identity = await identify(request)
    if identity is not None:
        await _sessions(request).end(identity.session)
    response.delete_cookie(_cookie(request), path="/", secure=secure(request), httponly=True, samesite="lax")


def allowed_origin(connection: HTTPConnection) -> bool:
    """Whether this websocket may use the cookie that it carries.

    Only a page of this service may; a foreign, `null` or missing Origin may not.
    """
    if _cookie(connection) not in connection.cookies:
        return True
    own = own_origin(connection.scope, connection.headers, _public_url(connection))
    return own_page(connection.headers, own)


def address(connection: HTTPConnection) -> str:
    """The client's address. The server has already decided whether a proxy is believed about it."""
    return connection.client.host if connection.client else ""


def secure(connection: HTTPConnection) -> bool:
    """Whether browsers reach the service by https, so that cookies are for that alone."""
    return is_secure(connection.scope, _public_url(connection))


def local_path(text: str | None) -> str:
    """Where to go after signing in: `text` where it is a path on this site, else the home page."""
    if not text or not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return "/"
    return text


def _cookie(connection: HTTPConnection) -> str:
    # The prefix makes browsers refuse one that a sibling domain or plain http has set; they take it on https alone.
    return "__Host-taskline" if secure(connection) else "taskline"


def _sessions(connection: HTTPConnection) -> Sessions:
    return _resources(connection).sessions


def _public_url(connection: HTTPConnection) -> str | None:
    return _resources(connection).settings.public_url


def _resources(connection: HTTPConnection) -> Resources:
    resources: Resources = connection.app.state.resources
    return resources
