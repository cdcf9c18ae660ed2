"""What is accepted of pictures, and what is made of one; without any library that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.errors import N_
from app.images.reading.formats import ImageFormat
from app.images.reading.notes import Note

WORKING_SIDE = 2048  # pixels; twice the largest training resolution, so a crop still has enough
THUMBNAIL_SIDES = (256, 640)  # pixels; a tile, and the same on a sharp screen or in the side panel
HAD_LOCATION = N_("The photo contains the location where it was taken. Livery removes the location from every copy.")


@dataclass(frozen=True)
class IntakeLimits:
    """What is accepted. A side is compared before and after turning alike."""

    max_bytes: int = 50 * 1024 * 1024
    max_pixels: int = 64_000_000
    max_interlaced_pixels: int = 16_000_000  # PNG; an interlaced one is decoded as a whole, up to 16 bytes a pixel
    max_side: int = 16_383  # pixels; the largest side of WebP
    min_side: int = 64  # pixels


@dataclass(frozen=True)
class PreparedImage:
    """A picture and all that is made from it.

    `sha256` is of the original bytes, `width` and `height` are the original's pixels after turning it upright.
    `working` and `thumbnails` (by longest side) are WebP in sRGB without metadata. `placeholder` is a data URI of a
    few hundred bytes, `placeholder_colour` is like `#1a2b3c`. `dhash` is 64 bits as 16 hex digits. `sharpness` is the
    variance of the Laplacian of the grey picture at 512 pixels. `border` is the colour of its edge, if that is one.
    """

    sha256: str
    format: ImageFormat
    width: int
    height: int
    working: bytes = field(repr=False)
    working_width: int
    working_height: int
    thumbnails: Mapping[int, bytes] = field(repr=False)
    placeholder: str = field(repr=False)
    placeholder_colour: str
    dhash: str
    sharpness: float
    border: str | None
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class CleanOriginal:
    """`format` may differ from what went in when `is_reencoded`; then `note` tells people."""

    data: bytes = field(repr=False)
    format: ImageFormat
    is_reencoded: bool
    note: Note | None
