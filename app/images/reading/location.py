"""An original that may leave the house: the same picture without the place where it was taken.

JPEG, PNG and WebP are cleaned without touching a pixel: only the parts that make the picture are copied, by a list of
what stays, so EXIF, XMP, IPTC, comments, previews and everything behind the end go, known or not. The EXIF orientation
is written back alone, or the picture would lie on its side.

TIFF, HEIC, AVIF, GIF and SVG are re-encoded from their pixels: their metadata is interwoven with the picture, and a
second parser of ours would be one more place for mistakes. TIFF stays a TIFF, loses nothing and keeps its print
colours. HEIC and AVIF become a JPEG of best quality, or a PNG if transparent. GIF (first frame) and SVG (2,048 pixels)
become PNG. The colour profile stays in all cases.
"""

import re
import struct
import zlib

import pyvips

from app.errors import N_
from app.images.errors import TruncatedImage
from app.images.reading import svg
from app.images.reading.decoding import decode, read_header
from app.images.reading.formats import ImageFormat
from app.images.reading.notes import Note
from app.images.reading.prepared import CleanOriginal

REENCODED = N_("This file was saved again as %(format)s to remove the location where the photo was taken.")
SVG_SIDE = 2048  # pixels
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
PNG_KEPT = {
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT"),  # colour
    *(b"tRNS", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT"),  # transparency, resolution, animation
}
WEBP_KEPT = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
WEBP_EXIF_FLAG, WEBP_XMP_FLAG = 0x08, 0x04


def without_location(data: bytes, image_format: ImageFormat, name: str = "") -> CleanOriginal:
    """The picture without any metadata but its colour profile and orientation. `data` has been through `inspect`.

    Raises: TruncatedImage, and what `inspect` raises for the same bytes.
    """
    lossless = {ImageFormat.JPEG: _clean_jpeg, ImageFormat.PNG: _clean_png, ImageFormat.WEBP: _clean_webp}
    if image_format in lossless:
        orientation = read_header(data, image_format, name).orientation
        try:
            cleaned = lossless[image_format](data, orientation)
        except (IndexError, struct.error) as error:
            raise TruncatedImage(name=name) from error
        return CleanOriginal(cleaned, image_format, is_reencoded=False, note=None)
    try:
        cleaned, new_format = _reencode(data, image_format, name)
    except pyvips.Error as error:
        raise TruncatedImage(name=name) from error
    note = Note(REENCODED, {"format": new_format.value.upper()})
    return CleanOriginal(cleaned, new_format, is_reencoded=True, note=note)


def _orientation_alone(orientation: int) -> bytes:
    """EXIF in TIFF notation with one directory of one entry: tag 0x0112, one 16-bit number."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _is_kept_in_jpeg(marker: int, body: bytes) -> bool:
    if marker == 0xFE:  # comment
        return False
    if not 0xE0 <= marker <= 0xEF:
        return True
    starts = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
    return marker in starts and body.startswith(starts[marker])


def _clean_jpeg(data: bytes, orientation: int) -> bytes:
    out = bytearray(b"\xff\xd8")
    if orientation != 1:
        exif = b"Exif\0\0" + _orientation_alone(orientation)
        out += b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    at = 2
    while True:
        match = NEXT_MARKER.search(data, at)
        if match is None:
            raise IndexError("no end of image")
        at = match.start()
        marker = data[at + 1]
        if marker == 0xD9:
            return bytes(out + b"\xff\xd9")
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if _is_kept_in_jpeg(marker, data[at + 4 : end]):
            out += data[at:end]
        at = end
        if marker == 0xDA:  # a scan: its compressed data runs up to the next real marker
            scan_end = NEXT_MARKER.search(data, at)
            if scan_end is None:
                raise IndexError("no end of image")
            out += data[at : scan_end.start()]
            at = scan_end.start()


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _clean_png(data: bytes, orientation: int) -> bytes:
    out = bytearray(data[:8])
    at = 8
    kind = b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        is_critical = kind[:1].isupper()
        if is_critical or kind in PNG_KEPT:
            out += data[at : at + 12 + length]
        if kind == b"IHDR" and orientation != 1:
            out += _png_chunk(b"eXIf", _orientation_alone(orientation))
        at += 12 + length
    return bytes(out)


def _clean_webp(data: bytes, orientation: int) -> bytes:
    chunks = bytearray()
    at = 12
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= end:
        kind, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        chunk = bytearray(data[at : at + 8 + length + length % 2])
        if kind == b"VP8X":
            chunk[8] &= ~(WEBP_EXIF_FLAG | WEBP_XMP_FLAG) & 0xFF
            chunk[8] |= WEBP_EXIF_FLAG if orientation != 1 else 0
        if kind in WEBP_KEPT:
            chunks += chunk
        at += 8 + length + length % 2
    if orientation != 1:
        exif = _orientation_alone(orientation)
        chunks += b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + bytes(chunks)


def _reencode(data: bytes, image_format: ImageFormat, name: str) -> tuple[bytes, ImageFormat]:
    if image_format is ImageFormat.SVG:
        return svg.render(data, svg.read_facts(data, name), SVG_SIDE, name), ImageFormat.PNG
    # Turning needs the whole picture; it was decoded on the way in, within the same limits.
    image = decode(data, image_format, name).copy_memory()
    if image_format is ImageFormat.TIFF:
        return image.autorot().tiffsave_buffer(compression="deflate", predictor="horizontal", keep="icc"), image_format
    if image.hasalpha() or image_format is ImageFormat.GIF:
        return image.pngsave_buffer(keep="icc"), ImageFormat.PNG
    return image.jpegsave_buffer(Q=95, subsample_mode="off", keep="icc"), ImageFormat.JPEG
