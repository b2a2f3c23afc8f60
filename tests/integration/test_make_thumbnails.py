"""make_thumbnails on real archives: what comes out, and what is refused and named."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image, ImageCms, ImageDraw

from taskline import Context, File, Rejected
from tests.integration.hosts import Here
from workers.workloads import make_thumbnails


class Made:
    """What one run gave."""

    def __init__(self, folder: Path, archive: bytes, **params: Any) -> None:
        path = folder / f"{uuid4().hex}.zip"
        path.write_bytes(archive)
        self.host = Here(folder / uuid4().hex)
        context = Context(self.host, task_id=uuid4(), attempt=1, secrets={}, strict=True)
        file = File(id="f", name="pictures.zip", size=len(archive), sha256="0" * 64, path=path)
        self.summary = make_thumbnails(context, file, **params)
        self.blocks = {(block.type, block.name): block for block in context.gathered.blocks}
        self.offers = {offer.name: offer for offer in context.gathered.offers}
        with zipfile.ZipFile(self.offers["thumbnails.zip"].path) as made:
            self.pictures = {name: made.read(name) for name in made.namelist()}

    def picture(self, name: str) -> Image.Image:
        return Image.open(io.BytesIO(self.pictures[name]))

    def table(self, name: str) -> list[dict[str, Any]]:
        block: Any = self.blocks.get(("table", name))
        return [dict(zip(block.columns, row, strict=True)) for row in block.rows] if block else []

    @property
    def left_out(self) -> dict[str, str]:
        return {row["Entry"]: row["Why"] for row in self.table("Left out")}


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target.getvalue()


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def marked(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """White, with a red corner at the upper left."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height // 4), fill=(255, 0, 0))
    return image.convert(mode)


def is_red(image: Image.Image, at: tuple[int, int]) -> bool:
    red, green, blue = image.convert("RGB").getpixel(at)  # type: ignore[misc]
    return bool(red > 200 and green < 60 and blue < 60)


def test_pictures_become_small_in_their_folders(tmp_path: Path) -> None:
    got = Made(
        tmp_path,
        zipped(
            {
                "trip/": b"",
                "trip/one.JPG": saved(marked(1200, 600), "JPEG"),
                "trip/two.png": saved(marked(300, 900), "PNG"),
                "trip/two.webp": saved(marked(64, 32), "WEBP"),
                "Größe.gif": saved(
                    marked(640, 640, "P"), "GIF", save_all=True, append_images=[Image.new("P", (640, 640))]
                ),
                "__MACOSX/trip/._one.JPG": b"clutter",
                "trip/.DS_Store": b"clutter",
            }
        ),
        size=120,
    )
    assert {name: Image.open(io.BytesIO(content)).size for name, content in got.pictures.items()} == {
        "Größe.jpg": (120, 120),
        "trip/one.jpg": (120, 60),
        "trip/two.jpg": (40, 120),
        "trip/two-2.jpg": (64, 32),  # never blown up
    }
    assert all(is_red(got.picture(name), (2, 2)) for name in got.pictures)
    assert [row["Note"] for row in got.table("Pictures")] == ["the first of 2 frames", "", "", ""]
    assert got.summary.startswith("4 pictures: ")
    assert got.left_out == {}
    gallery: list[Any] = [block for block in got.blocks.values() if block.type == "image"]
    assert gallery[0].artifact == "01-Größe.jpg"
    assert [block.alt for block in gallery] == ["Größe.gif", "trip/one.JPG", "trip/two.png", "trip/two.webp"]
    assert [message for _, message in got.host.said][-1] == "Picture 4 of 4"


@pytest.mark.parametrize("form", ["JPEG", "WebP", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_and_tells_nothing_besides(tmp_path: Path, orientation: int, form: str) -> None:
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # what a camera does to what it sees
    seen = marked(80, 40)
    turned = seen if back is None else seen.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Camera of Ann"
    exif.get_ifd(0x8825)[1] = "N"
    picture = saved(turned, "JPEG", exif=exif, comment=b"secret place", quality=95)
    got = Made(tmp_path, zipped({"a.jpg": picture}), size=32, format=form)
    (content,) = got.pictures.values()
    image = Image.open(io.BytesIO(content))
    assert image.size == (32, 16)
    assert is_red(image, (2, 1))
    assert not dict(image.getexif())
    assert not any(word in content for word in (b"Camera", b"secret", b"Exif", b"ICC"))


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("L", "PNG"),
        ("LA", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("CMYK", "JPEG"),
        ("F", "TIFF"),
    ],
)
@pytest.mark.parametrize("shape", ["fit", "square"])
def test_every_kind_of_colour_is_read(tmp_path: Path, mode: str, form: str, shape: str) -> None:
    if mode == "I;16":
        picture = Image.new("I;16", (90, 60), 65_535)
    elif mode in ("LA", "RGBA"):
        picture = Image.new(mode, (90, 60), 0)  # clear
    else:
        picture = Image.new("L", (90, 60), 255).convert(mode)
    got = Made(tmp_path, zipped({"a": saved(picture, form)}), size=30, shape=shape)
    (content,) = got.pictures.values()
    image = Image.open(io.BytesIO(content))
    assert image.size == ((30, 30) if shape == "square" else (30, 20))
    assert image.convert("L").getextrema()[0] > 250  # type: ignore[operator]  # white, and what was clear lies on white


def test_colours_are_those_of_the_pictures_profile(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    good = saved(marked(40, 40), "JPEG", icc_profile=lab)
    bad = saved(marked(40, 40), "JPEG", icc_profile=b"no profile at all" * 20)
    got = Made(tmp_path, zipped({"good.jpg": good, "bad.jpg": bad}), size=32)
    assert [is_red(got.picture(name), (2, 2)) for name in ("good.jpg", "bad.jpg")] == [True, True]


def bomb_of_pixels(side: int) -> bytes:
    """A PNG of a few bytes that says it is so many pixels wide and high."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_what_is_no_picture_is_left_out_and_named(tmp_path: Path) -> None:
    picture = saved(marked(64, 64), "PNG")
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", picture)
        archive.writestr("../../outside.png", picture)
        archive.writestr("/absolute.png", picture)
        archive.writestr("C:\\windows.png", picture)
        archive.writestr("line\nbreak.png", picture)
        archive.writestr("notes.txt", "not a picture")
        archive.writestr("named.png", "<svg onload='alert(1)'/>")
        archive.writestr("inner.zip", zipped({"a.png": picture}))
        archive.writestr("cut.png", picture[:40])
        archive.writestr("pixels.png", bomb_of_pixels(60_000))
        archive.writestr("wide.png", bomb_of_pixels(8_000))
        archive.writestr("huge.bmp", b"BM" + bytes(65 * 1024**2), zipfile.ZIP_STORED)
        archive.writestr(link, "/etc/passwd")
    got = Made(tmp_path, target.getvalue())
    assert list(got.pictures) == ["good.jpg"]
    unknown = "it is no picture of a known kind (JPEG, PNG, WebP, GIF, BMP and TIFF)"
    assert got.left_out == {
        "../../outside.png": "its name points outside the archive",
        "/absolute.png": "its name points outside the archive",
        "C:\\windows.png": "its name points outside the archive",
        "line\N{REPLACEMENT CHARACTER}break.png": "its name holds characters that cannot be shown",
        "notes.txt": unknown,
        "named.png": unknown,
        "inner.zip": unknown,
        "cut.png": got.left_out["cut.png"],
        "pixels.png": "it has far more pixels than the 50 million that are taken",
        "wide.png": "it has 8,000 × 8,000 pixels; 50 million are taken at most",
        "huge.bmp": "it is larger than 64 MiB",
        "link.png": "it is a link",
    }
    assert got.left_out["cut.png"].startswith("it cannot be read as a picture")
    assert "notes.txt: left out, it is no picture" in "\n".join(got.host.lines)


def lying(archive: bytes, says: int) -> bytes:
    """The same archive, whose directory gives another unpacked size for its first entry."""
    at = archive.index(b"PK\x01\x02") + 24
    return archive[:at] + struct.pack("<I", says) + archive[at + 4 :]


def overlapping() -> bytes:
    """Two entries that are the same bytes."""
    one = zipped({"a.png": saved(marked(64, 64), "PNG")})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * 2
    return one[:start] + directory + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), start, 0)


def crowded() -> bytes:
    one = zipped({"a.txt": b""})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * 10_001
    return (
        one[:start]
        + directory
        + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 10_001, 10_001, len(directory), start, 0)
    )


@pytest.mark.parametrize(
    ("archive", "message", "hint"),
    [
        (lambda: b"no archive", "This is not a zip archive.", "Put the pictures into"),
        (lambda: b"PK\x05\x06" + bytes(3), "This is not a zip archive.", "Put the pictures into"),
        (lambda: zipped({"a.png": bytes(100)})[:-30], "This is not a zip archive.", "Put the pictures into"),
        (
            lambda: zipped({f"{place}.png": bytes(30 * 1024**2) for place in range(3)}),
            "This archive unpacks to far more than a set of pictures would: it was not opened.",
            "It has 0.1 MB and would unpack to 94 MB.",
        ),
        (
            lambda: lying(zipped({"a.png": b"x"}), 0xFFFFFFF0),
            "This archive unpacks to far more than a set of pictures would: it was not opened.",
            "It has 0.0 MB and would unpack to 4,295 MB.",
        ),
        (
            overlapping,
            "This archive unpacks to far more than a set of pictures would: it was not opened.",
            "Its entries overlap.",
        ),
        (crowded, "This archive has more than 10,000 entries.", "Split it into several."),
        (lambda: zipped({}), "There is no picture in this archive that could be made small.", "It is empty."),
        (
            lambda: zipped({"a.txt": b"x", "b.txt": b"x"}),
            "There is no picture in this archive that could be made small.",
            "a.txt: it is no picture of a known kind (JPEG, PNG, WebP, GIF, BMP and TIFF), and 1 more.",
        ),
        # What says that it is small is read no further than that.
        (
            lambda: lying(zipped({"a.bmp": b"BM" + bytes(20 * 1024**2)}), 100),
            "There is no picture in this archive that could be made small.",
            "a.bmp: it is damaged.",
        ),
    ],
)
def test_archives_that_do_harm_are_refused(
    tmp_path: Path, archive: Callable[[], bytes], message: str, hint: str
) -> None:
    with pytest.raises(Rejected) as refused:
        Made(tmp_path, archive())
    assert refused.value.message == message
    assert str(refused.value.hint).startswith(hint)


def test_a_locked_entry_is_named(tmp_path: Path) -> None:
    archive = bytearray(zipped({"a.png": saved(marked(9, 9), "PNG"), "b.png": saved(marked(9, 9), "PNG")}))
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    assert Made(tmp_path, bytes(archive)).left_out == {"a.png": "it is locked by a password"}
