"""Serves `static/` under names that hold a hash of the whole folder, so that browsers keep every file for a year and never mix releases."""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webp": "image/webp",
    ".csv": "text/csv",
}
_SQUEEZED: Final = {".js", ".css", ".svg", ".txt", ".csv"}
_MARGIN: Final = re.compile(rb"(?m)^[ \t]*(//.*)?")
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    squeezed: bytes | None  # gzip
    media_type: str


class Static:
    """An ASGI application over the files of one folder, read once at the start.

    One hash names the folder (`/static/3f2a…/app.js`), so that the modules' relative imports and the stylesheet's font need no rewriting.
    """

    def __init__(self, folder: Path, *, at: str = "/static") -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _read(path) for path in sorted(folder.rglob("*")) if path.is_file()
        }
        if not self._assets:
            raise FileNotFoundError(f"no static files in {folder}")
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(name.encode() + b"\0" + hashlib.sha256(asset.body).digest())
        self._hash = digest.hexdigest()[:12]
        self._at = at

    def url(self, name: str) -> str:
        """The address of a file of the folder. Raises KeyError where there is none."""
        if name not in self._assets:
            raise KeyError(f"no static file {name}")
        return f"{self._at}/{self._hash}/{name}"

    def body(self, name: str) -> bytes:
        """The file's bytes."""
        return self._assets[name].body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._answer(scope["method"], _inside(scope), Headers(scope=scope))
        await response(scope, receive, send)

    def _answer(self, method: str, path: str, headers: Headers) -> Response:
        if method not in ("GET", "HEAD"):
            return PlainTextResponse("This only answers GET.", 405, {"Allow": "GET, HEAD"})
        release, _, name = path.partition("/")
        asset = self._assets.get(name)
        if asset is None:
            return PlainTextResponse("There is no such file.", 404)
        # A page of another release, open while the service was replaced, still gets a working file; only the true name may be kept.
        sent = {"Cache-Control": _FOR_EVER if release == self._hash else "no-cache"}
        body = asset.body
        if asset.squeezed is not None:
            sent["Vary"] = "Accept-Encoding"
            if "gzip" in headers.get("accept-encoding", ""):
                sent["Content-Encoding"] = "gzip"
                body = asset.squeezed
        sent["Content-Length"] = str(len(body))
        return Response(b"" if method == "HEAD" else body, headers=sent, media_type=asset.media_type)


def _inside(scope: Scope) -> str:
    """The path below the mount; Starlette puts the mount itself in `root_path`."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).lstrip("/")


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    suffix = PurePosixPath(path.name).suffix
    if suffix == ".js":
        # Comments and indentation are for those who read the source; the lines stay, so that errors name the right ones.
        body = _MARGIN.sub(b"", body)
    squeezed = gzip.compress(body, 9, mtime=0) if suffix in _SQUEEZED else None
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body, squeezed, media_type)
