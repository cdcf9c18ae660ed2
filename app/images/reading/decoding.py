"""From the bytes of one format to pixels, with the decoder for exactly that format and no other.

libvips decodes everything except HEIC (its wheel has no HEVC decoder; pi-heif has) and SVG (resvg). Loaders are named
one by one, so that a file is never handed to a loader that we did not mean, such as the ones for PDF or FITS.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pi_heif
import pyvips
from PIL import Image, PngImagePlugin

from app.images.errors import TruncatedImage, UnsafeImage
from app.images.reading import containers
from app.images.reading.formats import ImageFormat

ORIENTATION_TAG = 0x0112
GPS_DIRECTORY = 0x8825
PNG_INTERLACE_AT = 28  # signature 8, chunk length and name 8, then the last of 13 bytes of IHDR
BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, LookupError, TypeError, OverflowError, RuntimeError, AttributeError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What the libraries beside libvips raise for damaged files."""
LOADERS = {
    ImageFormat.JPEG: pyvips.Image.jpegload_buffer,
    ImageFormat.PNG: pyvips.Image.pngload_buffer,
    ImageFormat.WEBP: pyvips.Image.webpload_buffer,
    ImageFormat.AVIF: pyvips.Image.heifload_buffer,
    ImageFormat.TIFF: pyvips.Image.tiffload_buffer,
    ImageFormat.GIF: pyvips.Image.gifload_buffer,
}
CHECKS = {
    ImageFormat.WEBP: containers.check_webp,
    ImageFormat.PNG: containers.check_png,
    ImageFormat.GIF: containers.check_gif,
    ImageFormat.TIFF: containers.check_tiff,
}
# libjpeg fills what is missing with grey and calls it a warning. These two warnings leave the picture whole.
HARMLESS_JPEG_WARNINGS = ("extraneous bytes before marker", "Unknown Adobe color transform")


@dataclass(frozen=True)
class Header:
    """What a file says before its pixels are decoded. `width` and `height` are pixels before `orientation`."""

    width: int
    height: int
    orientation: int
    pages: int
    is_animated: bool
    is_interlaced: bool
    is_cmyk: bool
    has_profile: bool
    has_location: bool


def read_header(data: bytes, image_format: ImageFormat, name: str) -> Header:
    """Read the header alone; memory stays near the size of the file. Not for SVG.

    Raises: TruncatedImage (the header is incomplete or contradicts itself), UnsafeImage (hidden text that expands),
    TooManyParts.
    """
    if image_format is ImageFormat.HEIC:
        return _read_heic_header(data, name)
    if image_format in CHECKS:
        CHECKS[image_format](data, name)
    is_apng = image_format is ImageFormat.PNG and _check_png(data, name)
    image = _open(data, image_format, name)
    exif = image.get("exif-data") if image.get_typeof("exif-data") else b""
    pages = int(image.get("n-pages")) if image.get_typeof("n-pages") else 1
    orientation = int(image.get("orientation")) if image.get_typeof("orientation") else 1
    if image_format is ImageFormat.AVIF:
        orientation = 1  # AVIF turns by its own property, which the decoder has applied; EXIF must not turn it again
    return Header(
        width=image.width,
        height=image.height,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        pages=pages,
        is_animated=is_apng or (pages > 1 and image_format is not ImageFormat.TIFF),
        is_interlaced=image_format is ImageFormat.PNG and data[PNG_INTERLACE_AT] != 0,
        is_cmyk=image.interpretation == "cmyk",
        has_profile=bool(image.get_typeof("icc-profile-data")),
        has_location=_has_location(data, exif),
    )


def decode(data: bytes, image_format: ImageFormat, name: str) -> pyvips.Image:
    """The picture as libvips sees it: own colour space, not yet turned, decoded while it is read from.

    HEIC is decoded at once. Raises: TruncatedImage.
    """
    if image_format is ImageFormat.HEIC:
        return _decode_heic(data, name)
    return _open(data, image_format, name)


def _open(data: bytes, image_format: ImageFormat, name: str, *, fail_on: str | None = None) -> pyvips.Image:
    level = fail_on or ("warning" if image_format is ImageFormat.JPEG else "error")
    try:
        return LOADERS[image_format](data, access="sequential", fail_on=level)
    except pyvips.Error as error:
        raise TruncatedImage(name=name) from error


def decode_tolerantly(data: bytes, image_format: ImageFormat, name: str, error: pyvips.Error) -> pyvips.Image:
    """After `error`: open a JPEG again if all that is wrong are stray bytes between its parts.

    Raises: TruncatedImage in all other cases.
    """
    is_harmless = any(warning in str(error) for warning in HARMLESS_JPEG_WARNINGS)
    if image_format is not ImageFormat.JPEG or not is_harmless or "premature end" in str(error):
        raise TruncatedImage(name=name) from error
    return _open(data, image_format, name, fail_on="error")


def _check_png(data: bytes, name: str) -> bool:
    """Whether it is an animated PNG. Pillow refuses compressed text that expands; libvips would hold all of it."""
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as png:
            return bool(getattr(png, "is_animated", False))
    except ValueError as error:
        raise UnsafeImage(name=name) from error
    except BROKEN as error:
        raise TruncatedImage(name=name) from error


def _open_heic(data: bytes, name: str) -> Any:
    try:
        heif = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        return heif[heif.primary_index]
    except BROKEN as error:
        raise TruncatedImage(name=name) from error


def _read_heic_header(data: bytes, name: str) -> Header:
    image = _open_heic(data, name)
    width, height = image.size  # already turned: HEIC turns by its own property, not by EXIF
    return Header(
        width=width,
        height=height,
        orientation=1,
        pages=1,
        is_animated=False,
        is_interlaced=False,
        is_cmyk=False,
        has_profile=bool(image.info.get("icc_profile")),
        has_location=_has_location(data, image.info.get("exif") or b""),
    )


def _decode_heic(data: bytes, name: str) -> pyvips.Image:
    image = _open_heic(data, name)
    try:
        pixels = np.asarray(image)
    except BROKEN as error:
        raise TruncatedImage(name=name) from error
    width, height = image.size
    pixels = pixels.reshape(height, pixels.shape[1], -1)[:, :width]  # rows are padded
    bands = pixels.shape[2]
    # A copy of our own: the array only looks into memory that pi-heif frees together with its image.
    if pixels.dtype == np.uint16:  # grey with 10 or 12 bits; colour was brought to 8 by pi-heif
        picture = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, bands, "ushort")
        picture = picture.copy(interpretation="grey16" if bands < 3 else "rgb16")
    else:
        picture = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, bands, "uchar")
        picture = picture.copy(interpretation="b-w" if bands < 3 else "srgb")
    profile = image.info.get("icc_profile")
    if profile:
        picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return picture


def _has_location(data: bytes, exif_block: bytes) -> bool:
    """Whether EXIF or XMP names a place. XMP is plain text in all formats that carry it."""
    if b":GPSLatitude" in data:
        return True
    exif = Image.Exif()
    try:
        exif.load(exif_block)
        return bool(exif.get_ifd(GPS_DIRECTORY))
    except BROKEN:
        return False  # unreadable EXIF has no place that anybody could read
