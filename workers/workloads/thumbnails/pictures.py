"""Makes one picture small: upright, in plain colours, and without anything that it tells besides."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from workers.workloads.thumbnails.archive import Refused

if TYPE_CHECKING:
    from PIL import Image

Shape = Literal["fit", "square"]
Format = Literal["JPEG", "WebP", "PNG"]

MOST_PIXELS: Final = 50_000_000  # of a picture: 150 to 200 MB in memory
SUFFIXES: Final = {"JPEG": ".jpg", "WebP": ".webp", "PNG": ".png"}
# Only these decoders are let near the bytes.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_SIGNATURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
SIGNATURE: Final = 16  # bytes that tell


@dataclass(frozen=True, slots=True)
class Small:
    """A picture made small. Sizes in pixels; `frames` of the original, of which the first is taken."""

    content: bytes
    before: tuple[int, int]
    after: tuple[int, int]
    frames: int


def is_picture(start: bytes) -> bool:
    """Whether content that begins like this is a picture of a known kind."""
    return start.startswith(_SIGNATURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def made_small(content: bytes, size: int, shape: Shape, form: Format, quality: int) -> Small:
    """The picture with a longest side (`fit`) or both sides (`square`, cut to its middle) of at most `size` pixels. Small ones are not blown up.

    Raises `Refused` for what is no picture after all, or unfolds to too many pixels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            before = image.size
            if before[0] * before[1] > MOST_PIXELS:
                raise Refused(
                    f"it has {before[0]:,} × {before[1]:,} pixels; {MOST_PIXELS // 10**6} million are taken at most"
                )
            frames = int(getattr(image, "n_frames", 1))
            small = _in_srgb(_upright(image, size, shape), image.info.get("icc_profile"))
            kept = _saved(small, form, quality)
            return Small(kept, before, small.size, frames)
    except Refused:
        raise
    except Image.DecompressionBombError as error:  # the library looks first where there are far too many
        raise Refused(f"it has far more pixels than the {MOST_PIXELS // 10**6} million that are taken") from error
    except Exception as error:  # a decoder meets bytes that anybody may have made, and raises anything
        raise Refused(f"it cannot be read as a picture ({type(error).__name__})") from error


def _upright(image: "Image.Image", size: int, shape: Shape) -> "Image.Image":
    from PIL import ExifTags, Image, ImageOps

    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    image.draft(None, (2 * size, 2 * size))  # a camera's JPEG need not be unfolded whole to become small
    small = _plain(image)
    if shape == "square":
        side = min(size, *small.size)
        small = ImageOps.fit(small, (side, side), Image.Resampling.LANCZOS)
    else:
        small.thumbnail((size, size), Image.Resampling.LANCZOS)
    small.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(small)


def _plain(image: "Image.Image") -> "Image.Image":
    """In a mode that can be made smaller smoothly: RGB, RGBA, L or CMYK."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")


def _in_srgb(image: "Image.Image", profile: bytes | None) -> "Image.Image":
    """In the colours that every screen takes for granted, from those of the picture's own profile where it has one."""
    from PIL import ImageCms

    target = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode in ("RGB", "RGBA", "CMYK"):
        try:
            known = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(image, known, ImageCms.createProfile("sRGB"), outputMode=target)
        except (ImageCms.PyCMSError, OSError, ValueError):
            made = None  # a profile that is none: its colours are taken as they are
        if made is not None:
            return made
    return image.convert(target)


def _saved(image: "Image.Image", form: Format, quality: int) -> bytes:
    from PIL import Image

    # On a canvas of its own: place, camera, comments and all else that a file tells besides stay behind.
    if image.mode == "RGBA" and form == "JPEG":
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(image, mask=image.getchannel("A"))
    else:
        canvas = Image.new(image.mode, image.size)
        canvas.paste(image)
    target = io.BytesIO()
    options = {"optimize": True} if form == "PNG" else {"quality": quality}
    canvas.save(target, form, **options)
    return target.getvalue()
