"""Forms as they come: a file goes on while it is still arriving, in pieces as the network brings them, and never lies in memory or on this machine's disk."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from app.errors import TooLarge

MOST_TEXT: Final = 64 * 1024  # bytes of all fields that are no files


@dataclass(slots=True)
class Part:
    """A part of a form: a file where it has a `filename`. `media_type` is what the client said, or ""."""

    name: str
    filename: str | None
    media_type: str


@dataclass(slots=True)
class _Raw:
    """The headers of a part, by lower-case name, as they come."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""


class FormStream:
    """Reads a multipart body part by part. `part.filename` tells files from texts; `text` or `chunks` must be read before the next part.

    Everything raises HTTP 400 for a body that is no form or has too many parts, and `ClientDisconnect`.
    """

    def __init__(self, request: Request, *, most_files: int, most_fields: int) -> None:
        _, options = parse_options_header(request.headers.get("content-type", ""))
        if not options.get(b"boundary"):
            raise HTTPException(400, "Missing boundary in multipart.")
        self._body = request.stream()
        self._most_files, self._most_fields = most_files, most_fields
        self._files = self._fields = self._text = 0
        self._declared = _number(request.headers.get("content-length"))
        self._consumed = 0
        self._raw = _Raw()
        self._coming: deque[Part | bytes | None] = deque()  # a part, its bytes, and None at its end
        callbacks: Mapping[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._close,
        }
        self._parser = _refusing(lambda: python_multipart.MultipartParser(options[b"boundary"], callbacks))  # type: ignore[arg-type]
        self._whole = self._over = False

    @property
    def expected(self) -> int | None:
        """Bytes that are still to come, where the client has said how many there are."""
        return None if self._declared is None else max(0, self._declared - self._consumed + self._waiting())

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in order. What was not read of one is passed over."""
        while (item := await self._next()) is not _OVER:
            if isinstance(item, Part):
                yield item

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the part that came last."""
        while isinstance(item := await self._next(), bytes):
            yield item

    async def text(self) -> str:
        """The part that came last, as text. Raises `TooLarge` for more than a form may have of it."""
        read = bytearray()
        async for chunk in self.chunks():
            self._text += len(chunk)
            if self._text > MOST_TEXT:
                raise TooLarge(f"The fields of a form may have {MOST_TEXT:,} bytes.")
            read += chunk
        return _decoded(bytes(read))

    def _waiting(self) -> int:
        return sum(len(item) for item in self._coming if isinstance(item, bytes))

    async def _next(self) -> Any:
        while not self._coming:
            if self._over:
                return _OVER
            chunk = await anext(self._body, None)
            if chunk is None:
                self._over = True
                if not self._whole:
                    raise HTTPException(400, "The form breaks off before its end.")
            else:
                self._consumed += len(chunk)
                _refusing(partial(self._parser.write, chunk))
        return self._coming.popleft()

    def _begin(self) -> None:
        self._raw = _Raw()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._raw.name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._raw.value += data[start:end]

    def _header_end(self) -> None:
        self._raw.headers[self._raw.name.lower()] = self._raw.value
        self._raw.name = self._raw.value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._raw.headers.get(b"content-disposition"))
        if b"name" not in options:
            raise HTTPException(400, 'The Content-Disposition header field "name" must be provided.')
        filename = options.get(b"filename")
        if filename is None:
            self._fields += 1
        else:
            self._files += 1
        for what, count, most in (
            ("files", self._files, self._most_files),
            ("fields", self._fields, self._most_fields),
        ):
            if count > most:
                raise HTTPException(400, f"Too many {what}. Maximum number of {what} is {most}.")
        said = self._raw.headers.get(b"content-type", b"")
        self._coming.append(
            Part(_decoded(options[b"name"]), None if filename is None else _decoded(filename), said.decode("latin-1"))
        )

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._coming.append(data[start:end])

    def _end(self) -> None:
        self._coming.append(None)

    def _close(self) -> None:
        self._whole = True


_OVER: Final = object()


def is_multipart(connection: HTTPConnection) -> bool:
    """Whether the body is said to be a form with parts."""
    return connection.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _refusing(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except FormParserError as error:
        raise HTTPException(400, "Invalid multipart data.") from error


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
