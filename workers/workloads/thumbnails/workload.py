"""Makes the pictures of a zip archive small."""

import zipfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from pydantic import Field

from taskline import Accept, Context, File, Rejected, Ui, workload
from workers.workloads.thumbnails.archive import Refused, check_entry, content, is_clutter, opened
from workers.workloads.thumbnails.pictures import (
    SIGNATURE,
    SUFFIXES,
    Format,
    Shape,
    Small,
    is_picture,
    made_small,
)
from workers.workloads.wording import many

_MOST_SHOWN: Final = 24  # pictures on the page
_READABLE: Final = "JPEG, PNG, WebP, GIF, BMP and TIFF"


class NoPictures(Rejected):
    """There is no picture in this archive that could be made small."""


@dataclass(slots=True)
class _Made:
    """What became of the entries so far. Sizes in bytes."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    gallery: list[tuple[str, bytes, str]] = field(default_factory=list)  # name, picture, what it shows
    names: set[str] = field(default_factory=set)
    before: int = 0
    after: int = 0


@workload(title="Make thumbnails", timeout=timedelta(hours=1), expected=timedelta(seconds=20), memory_mib=1024)
def make_thumbnails(
    ctx: Context,
    file: Annotated[
        File, Accept(".zip", "application/zip"), Field(title="Archive", description=f"A zip of {_READABLE} pictures")
    ],
    size: Annotated[
        int, Field(ge=16, le=2048, title="Longest side", description="Smaller pictures stay as they are"), Ui(unit="px")
    ] = 320,
    shape: Annotated[Shape, Field(title="Shape", description="“Square” cuts to the middle")] = "fit",
    format: Annotated[Format, Field(title="Format")] = "JPEG",  # noqa: A002  what people call it
    quality: Annotated[int, Field(ge=1, le=95, title="Quality", description="Of JPEG and WebP")] = 82,
) -> str:
    """Every picture of a zip archive as a thumbnail: upright, in sRGB, without camera data or places. Gives them back as an archive, with a gallery of the first."""
    made = _Made()
    target = ctx.folder / "thumbnails.zip"
    with opened(file.path) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as small_ones:
        entries = [entry for entry in archive.infolist() if not is_clutter(entry)]
        for entry in ctx.track(sorted(entries, key=lambda one: one.filename), "picture"):
            try:
                unpacked = _picture(archive, entry)
                small = made_small(unpacked, size, shape, format, quality)
            except Refused as reason:
                made.left_out.append({"Entry": _shown(entry.orig_filename), "Why": str(reason)})
                continue
            name = _free_name(entry.filename, SUFFIXES[format], made.names)
            small_ones.writestr(zipfile.ZipInfo(name), small.content)
            _keep(made, name, entry, small)
    for one in made.left_out:
        ctx.log(f"{one['Entry']}: left out, {one['Why']}", level="warning")
    if not made.rows:
        raise NoPictures(hint=_why_none(made.left_out))
    _show(ctx, made)
    ctx.artifact(target.name, target, "application/zip")
    return _headline(made)


def _picture(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    check_entry(entry)
    if not is_picture(content(archive, entry, SIGNATURE)):
        raise Refused(f"it is no picture of a known kind ({_READABLE})")
    return content(archive, entry)


def _free_name(name: str, suffix: str, taken: set[str]) -> str:
    """The entry's name with another suffix. Names that differ only in upper case would be one file on some systems."""
    stem = str(PurePosixPath(name).with_suffix(""))
    free = f"{stem}{suffix}"
    number = 1
    while free.lower() in taken:
        number += 1
        free = f"{stem}-{number}{suffix}"
    taken.add(free.lower())
    return free


def _keep(made: _Made, name: str, entry: zipfile.ZipInfo, small: Small) -> None:
    made.before += entry.file_size
    made.after += len(small.content)
    made.rows.append(
        {
            "Picture": _shown(entry.filename),
            "Size": _pixels(small.before),
            "kB": round(entry.file_size / 1000, 1),
            "Thumbnail": _pixels(small.after),
            "kB now": round(len(small.content) / 1000, 1),
            "Note": f"the first of {small.frames:,} frames" if small.frames > 1 else "",
        }
    )
    if len(made.rows) <= _MOST_SHOWN:
        shown = PurePosixPath(name).name[-150:]
        made.gallery.append((f"{len(made.rows):02}-{shown}", small.content, _shown(entry.filename)))


def _show(ctx: Context, made: _Made) -> None:
    ctx.metric("Pictures", len(made.rows))
    ctx.metric("Left out", len(made.left_out))
    ctx.metric("Before", round(made.before / 1e6, 2), unit="MB")
    ctx.metric("After", round(made.after / 1e6, 2), unit="MB")
    for name, picture, alt in made.gallery:
        ctx.image(name, picture, alt=alt)
    ctx.table("Pictures", made.rows)
    if made.left_out:
        ctx.table("Left out", made.left_out)


def _headline(made: _Made) -> str:
    said = f"{many(len(made.rows), 'picture')}: {_size(made.before)} became {_size(made.after)}"
    return f"{said}; {len(made.left_out):,} left out" if made.left_out else said


def _why_none(left_out: list[dict[str, str]]) -> str:
    if not left_out:
        return "It is empty."
    more = f", and {len(left_out) - 1:,} more" if len(left_out) > 1 else ""
    return f"{left_out[0]['Entry']}: {left_out[0]['Why']}{more}."


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]:,} × {size[1]:,}"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _shown(name: str) -> str:
    """A name that is safe to show: an entry may be called anything."""
    clean = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)
    return clean if len(clean) <= 120 else f"…{clean[-119:]}"
