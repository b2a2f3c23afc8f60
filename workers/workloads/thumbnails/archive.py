"""Reads an archive that somebody may have made to do harm: nothing is unpacked to disk, and nothing is unpacked without a bound."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

from taskline import Rejected

MOST_ENTRIES: Final = 10_000
LARGEST_ENTRY: Final = 64 * 1024**2  # bytes, unpacked
LARGEST_WHOLE: Final = 4 * 1024**3  # bytes, all entries unpacked
_HARMLESS: Final = 64 * 1024**2  # bytes; what unpacks to no more than this may be packed as tightly as it likes
_TIGHTEST: Final = 200  # times smaller than unpacked; pictures hardly get smaller at all
_END: Final = b"PK\x05\x06"  # of the directory at an archive's end
_SYMBOLIC_LINK: Final = 0o120000
_KIND: Final = 0o170000


class NotAnArchive(Rejected):
    """This is not a zip archive."""


class TooManyEntries(Rejected):
    """This archive has too many entries."""


class Bomb(Rejected):
    """This archive unpacks to far more than a set of pictures would: it was not opened."""


class Refused(Exception):
    """An entry is left out; the message says why."""


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`, once its directory has shown that it is harmless. Raises `NotAnArchive`, `TooManyEntries` or `Bomb`."""
    _refuse_long_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError) as error:
        raise NotAnArchive(hint="Put the pictures into a .zip file and upload that.") from error
    with archive:
        _refuse_bomb(path.stat().st_size, archive.infolist())
        yield archive


def is_clutter(entry: zipfile.ZipInfo) -> bool:
    """Whether the entry is a folder, or what an operating system adds by itself."""
    name = PurePosixPath(entry.filename)
    return entry.is_dir() or name.parts[:1] == ("__MACOSX",) or name.name in (".DS_Store", "Thumbs.db", "desktop.ini")


def check_entry(entry: zipfile.ZipInfo) -> None:
    """Raises `Refused` for an entry that lies outside the archive's folder, is a link, is locked, or is too large."""
    name = entry.orig_filename
    if not name.isprintable():
        raise Refused("its name holds characters that cannot be shown")
    if name.startswith("/") or "\\" in name or name[1:2] == ":" or ".." in name.split("/"):
        raise Refused("its name points outside the archive")
    if entry.external_attr >> 16 & _KIND == _SYMBOLIC_LINK:
        raise Refused("it is a link")
    if entry.flag_bits & 0x1:
        raise Refused("it is locked by a password")
    if entry.file_size > LARGEST_ENTRY:
        raise Refused(f"it is larger than {LARGEST_ENTRY // 1024**2} MiB")


def content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int | None = None) -> bytes:
    """The unpacked bytes of a checked entry, or its first `most`. Raises `Refused` where they cannot be unpacked."""
    try:
        with archive.open(entry) as file:
            # What its directory says is all that is read, whatever else the entry unpacks to.
            return file.read(entry.file_size if most is None else most)
    except NotImplementedError as error:
        raise Refused("it is packed in a way that is not known here") from error
    except Exception as error:  # the modules that unpack raise many kinds of errors
        raise Refused("it is damaged") from error


def _refuse_long_directory(path: Path) -> None:
    """Before the directory is read into memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65_557))  # an end is 22 bytes and a comment
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 12:
        raise NotAnArchive(hint="Put the pictures into a .zip file and upload that.")
    (entries,) = struct.unpack_from("<H", tail, at + 10)
    if entries > MOST_ENTRIES:
        raise TooManyEntries(f"This archive has more than {MOST_ENTRIES:,} entries.", hint="Split it into several.")


def _refuse_bomb(size: int, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise TooManyEntries(f"This archive has {len(entries):,} entries; {MOST_ENTRIES:,} are taken at most.")
    whole = sum(entry.file_size for entry in entries)
    if whole > LARGEST_WHOLE or (whole > _HARMLESS and whole > _TIGHTEST * size):
        raise Bomb(hint=f"It has {size / 1e6:,.1f} MB and would unpack to {whole / 1e6:,.0f} MB.")
    # Entries that share their bytes unpack the same bytes again and again.
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    for one, other in pairwise(ordered):
        if one.header_offset + one.compress_size > other.header_offset:
            raise Bomb(hint="Its entries overlap.")
