"""Files as downloads (RFC 9110, 14): whole or a range of them, never shown as a page of this origin."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.artifacts import ArtifactStore

LONGEST_RANGE: Final = 40  # characters: Python refuses to read numbers of thousands of digits
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
# What people and workloads call a file is said again only where it is a media type, and nothing that could end a header.
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.+-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A stored file as somebody gets it. `tag`: what is another for other bytes."""

    key: str
    name: str
    media_type: str
    size: int  # bytes
    tag: str
    modified: datetime

    @property
    def headers(self) -> dict[str, str]:
        """Those of every answer about it."""
        return {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(self.name, safe='')}",
            # Where a browser shows it all the same, it runs nothing.
            "content-security-policy": "sandbox; default-src 'none'",
            "accept-ranges": "bytes",
            "etag": f'"{self.tag}"',
            "last-modified": format_datetime(self.modified.astimezone(UTC), usegmt=True),
        }


async def download(request: Request, store: ArtifactStore, file: Download) -> Response:
    """200, 206, 304 or 416. Raises `NotFound` where the store has it no longer, `Unavailable`."""
    asked, headers = request.headers, file.headers
    if _matches(asked.get("if-none-match", ""), headers["etag"]):
        return Response(status_code=304, headers=headers)
    start, size, status = 0, file.size, 200
    # Of other methods the range is no part (RFC 9110, 14.2).
    if request.method == "GET" and (chosen := _range(asked, file.size, headers)) is not None:
        start, end = chosen
        if start >= end:
            return Response(status_code=416, headers={**headers, "content-range": f"bytes */{file.size}"})
        size, status = end - start, 206
        headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["content-length"] = str(size)
    media_type = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    chunks = await store.read(file.key, start=start, size=size)
    return StreamingResponse(chunks, status, headers, media_type=media_type)


def _range(asked: Headers, size: int, headers: Mapping[str, str]) -> tuple[int, int] | None:
    """The bytes that are asked for, as (start, end); None for all: also where the request is no range, is several, or is for another state of the file.

    A start that does not lie before the end is a range that the file does not have.
    """
    text, only_if = asked.get("range", "").replace(" ", ""), asked.get("if-range")
    if only_if is not None and only_if not in (headers["etag"], headers["last-modified"]):
        return None
    found = _RANGE.fullmatch(text) if len(text) <= LONGEST_RANGE else None
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    start, last = int(found[1]), int(found[2] or size)
    if last < start:
        return None
    return start, min(size, last + 1)


def _matches(listed: str, tag: str) -> bool:
    return listed.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in listed.split(",")]
