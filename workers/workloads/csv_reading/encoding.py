"""Finds out how a file's bytes stand for text, and writes it again as plain UTF-8 where that is needed."""

import codecs
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.workloads.csv_reading.errors import BadRow, EmptyFile, NotText

_CHUNK: Final = 1 << 20  # bytes
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS: Final = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3", "an SQLite database"),
)
_CONTROL: Final = bytes(set(range(32)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1A, 0x1B})  # what no text holds


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to read a file: Python's name of its encoding, and whether its lines end in more than one way."""

    name: str
    mixed_newlines: bool

    @property
    def plain(self) -> bool:
        """Whether the file can be read as it is."""
        return self.name in ("utf-8", "utf-8-sig") and not self.mixed_newlines

    @property
    def spoken(self) -> str:
        """As people call it."""
        known = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1"}
        return known.get(self.name, self.name.upper())


def find_encoding(path: Path) -> Encoding:
    """Read the whole file once. UTF-8, UTF-16, UTF-32 (by their marks, UTF-16 also without), else Windows-1252, which holds Latin-1.

    Raises `EmptyFile` or `NotText`.
    """
    with path.open("rb") as file:
        start = file.read(4_096)
    if not start:
        raise EmptyFile
    for mark, name in _OTHERS:
        if start.startswith(mark):
            raise NotText(f"This is {name}, not a CSV file.", hint="Open it where it was made and export it as CSV.")
    for mark, name in _BOMS:
        if start.startswith(mark):
            return Encoding(name, mixed_newlines=name != "utf-8-sig" or _mixed(path))
    if (wide := _utf_16(start)) is not None:
        return Encoding(wide, mixed_newlines=True)
    return _eight_bits(path)


def as_utf8(path: Path, encoding: Encoding, target: Path, told: Callable[[float], None]) -> None:
    """Write the text of `path` to `target` in UTF-8 with one kind of newline; `told` hears the fraction that is done.

    Raises `BadRow` where the bytes stop to be text of that encoding.
    """
    size = path.stat().st_size
    row = 1
    with (
        path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding=encoding.name, newline=None) as source,
        target.open("w", encoding="utf-8", newline="") as written,
    ):
        try:
            while text := source.read(_CHUNK):
                written.write(text)
                row += text.count("\n")
                told(min(1.0, raw.tell() / size))
        except UnicodeError as error:
            raise BadRow(
                f"The text cannot be read after row {row:,}: it is no {encoding.name.upper()} there.",
                hint="Save the file again as UTF-8.",
            ) from error


def _mixed(path: Path) -> bool:
    return len(_survey(path)[1]) > 1


def _eight_bits(path: Path) -> Encoding:
    is_utf8, newlines = _survey(path)
    if is_utf8:
        return Encoding("utf-8", mixed_newlines=len(newlines) > 1)
    # Five bytes have no character in Windows-1252; Latin-1 has one for each.
    with path.open("rb") as file:
        has_holes = any(
            chunk.translate(None, b"\x81\x8d\x8f\x90\x9d") != chunk for chunk in iter(lambda: file.read(_CHUNK), b"")
        )
    return Encoding("latin-1" if has_holes else "cp1252", mixed_newlines=len(newlines) > 1)


def _survey(path: Path) -> tuple[bool, set[bytes]]:
    """Whether the file is UTF-8, and the newlines in it. Raises `NotText` at a byte that no text has, naming its row."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, newlines, rows, ends_in_return = True, set[bytes](), 1, False
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if chunk.translate(None, _CONTROL) != chunk:
                at = next(place for place, byte in enumerate(chunk) if byte in _CONTROL)
                row = rows + chunk.count(b"\n", 0, at)
                raise NotText(
                    f"Row {row:,} holds a byte ({chunk[at]:#04x}) that no text has.",
                    hint="Export the file as CSV in UTF-8.",
                )
            rows += chunk.count(b"\n")
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
            pairs = chunk.count(b"\r\n") + (ends_in_return and chunk.startswith(b"\n"))
            if pairs:
                newlines.add(b"\r\n")
            if chunk.count(b"\n") > pairs:
                newlines.add(b"\n")
            if chunk.count(b"\r") - chunk.endswith(b"\r") > chunk.count(b"\r\n") or (
                ends_in_return and not chunk.startswith(b"\n")
            ):
                newlines.add(b"\r")
            ends_in_return = chunk.endswith(b"\r")
    if ends_in_return:
        newlines.add(b"\r")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        is_utf8 = False
    return is_utf8, newlines


def _utf_16(start: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of western text is 0."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if half >= 2 and odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if half >= 2 and even > 0.4 * half and odd < 0.05 * half else None
