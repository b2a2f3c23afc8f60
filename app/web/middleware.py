"""The edge: one pure ASGI layer around everything.

It gives each request an id, refuses what other sites ask for and what is too large, adds the security headers, turns an
unexpected error into an answer, and writes the access log.
"""

import asyncio
import itertools
import logging
import secrets
import time
from typing import Final

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.artifacts.files import WRAPPING
from app.errors import Forbidden, Stopping, TooLarge
from app.web.body import LARGEST_BODY
from app.web.errors import answer
from app.web.multipart import is_multipart
from app.web.origin import is_secure, own_origin, same_origin

log = logging.getLogger("app.access")

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CLIENT_LEFT = 499  # as nginx logs it

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
        "require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
STRICT_TRANSPORT: Final = ("strict-transport-security", "max-age=31536000")
NO_STORE: Final = (b"cache-control", b"no-store")


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class Edge:
    """`public_url`: the origin that browsers use, or None. `largest_upload`: bytes of a file in a multipart body."""

    def __init__(self, app: ASGIApp, *, public_url: str | None, largest_upload: int) -> None:
        self._app = app
        self._public_url = public_url
        self._largest_upload = largest_upload
        self._plain = _raw(SECURITY_HEADERS)
        self._secure = _raw(dict([*SECURITY_HEADERS.items(), STRICT_TRANSPORT]))
        # Ids need to be distinct, not secret: a prefix a process and a count.
        self._prefix = secrets.token_hex(5)
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = f"{self._prefix}-{next(self._count):x}"
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._serve(scope, receive, send, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        began = time.perf_counter()
        status = 0
        fixed = [
            *(self._secure if is_secure(scope, self._public_url) else self._plain),
            (b"x-request-id", request_id.encode()),
        ]

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), *fixed]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(NO_STORE)
                message["headers"] = headers
            await send(message)

        try:
            try:
                if scope["method"] not in SAFE_METHODS:
                    receive = self._guard(scope, receive)
                await self._app(scope, receive, sending)
            except ClientDisconnect:
                status = status or CLIENT_LEFT
            except Exception as error:
                if status:
                    raise  # the answer is under way: the server can only cut the connection, and logs the trace
                response = await answer(HTTPConnection(scope), error)
                await response(scope, receive, sending)
            except asyncio.CancelledError:
                if status:
                    raise
                # The process stops, and the server has waited long enough for this request; left alone, it would tell of an error of ours.
                response = await answer(HTTPConnection(scope), Stopping())
                await response(scope, receive, sending)
        finally:
            if log.isEnabledFor(logging.INFO):
                _log(scope, status or CLIENT_LEFT, time.perf_counter() - began, request_id)

    def _guard(self, scope: Scope, receive: Receive) -> Receive:
        connection = HTTPConnection(scope)
        headers = connection.headers
        if not same_origin(headers, own_origin(scope, headers, self._public_url)):
            raise Forbidden
        largest = self._largest_upload + WRAPPING if is_multipart(connection) else LARGEST_BODY
        declared = headers.get("content-length")
        if declared is None:
            return _bounded(receive, largest)
        # The server reads no more than was declared.
        if not declared.isdecimal() or int(declared) > largest:
            raise TooLarge(f"The body may have {largest:,} bytes.")
        return receive


def _bounded(receive: Receive, largest: int) -> Receive:
    left = largest

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLarge(f"The body may have {largest:,} bytes.")
        return message

    return receiving


def _log(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    client = scope.get("client")
    identity = scope["state"].get("identity")
    # Without the query, which may hold what the log must not; repr encodes line breaks.
    log.info(
        "%s %r %d %.1f ms %s user %s request %s",
        scope["method"],
        scope["path"],
        status,
        seconds * 1000,
        client[0] if client else "-",
        identity.user_id if identity else "-",
        request_id,
    )
