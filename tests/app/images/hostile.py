"""Pictures made to cost much, or to break a reader."""

import io
import struct
import zlib

from PIL import Image

from tests.app.images.make_pictures import encoded, png_chunk, scene, svg


def webp_of_frames(count: int) -> bytes:
    """An animation of ``count`` frames of one pixel each."""
    pixel = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)
    frame = struct.pack("<6sHHBBBBBBI", bytes(6), 0, 0, 0, 0, 0, 0, 0, 1, 0)[:16] + pixel[12:]
    chunk = b"ANMF" + struct.pack("<I", len(frame)) + frame + b"\0" * (len(frame) % 2)
    head = b"VP8X" + struct.pack("<IB3x", 10, 0x02) + (99).to_bytes(3, "little") * 2
    body = head + b"ANIM" + struct.pack("<IIH", 6, 0, 0) + chunk * count
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def tiff(directories: int, *, bands: int = 3, side: int = 100, in_a_circle: bool = False) -> bytes:
    """A little-endian TIFF without compression whose pages all have the same pixels."""
    pixels = bytes(side * side * min(bands, 3))
    at, parts = 8 + len(pixels), list[bytes]()
    for number in range(directories):
        tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 2), (273, 8), (277, bands), (278, side)]
        tags.append((279, len(pixels)))
        size = 2 + 12 * len(tags) + 4
        follows = at + size if number < directories - 1 else (8 + len(pixels) if in_a_circle else 0)
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        parts.append(struct.pack("<H", len(tags)) + entries + struct.pack("<I", follows))
        at += size
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + b"".join(parts)


def gif_of_frames(count: int) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", 100, 100, 0x80, 0, 0) + bytes(6) + frame * count + b";"


def png_of_chunks(count: int, kind: bytes = b"tEXt", body: bytes = b"a\0b") -> bytes:
    whole = encoded(scene(), "PNG")
    return whole[:33] + png_chunk(kind, body) * count + whole[33:]


def png_with_profile(megabytes: int) -> bytes:
    return png_of_chunks(1, b"iCCP", b"icc\0\0" + zlib.compress(bytes(megabytes * 1_000_000), 9))


def apng_of_frames(count: int) -> bytes:
    whole = encoded(scene(64, 64), "PNG")
    control = png_chunk(b"acTL", struct.pack(">II", count, 0))
    frame = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 64, 64, 0, 0, 1, 10, 0, 0))
    return whole[:33] + control + frame * count + whole[33:]


def jpeg_of_scans(count: int, side: int = 2000) -> bytes:
    """A progressive JPEG in which one scan, which says nothing new, comes ``count`` times."""
    whole = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True, quality=50)
    scans = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xda"]
    last = whole[scans[-1] : -2]
    return whole[:-2] + last * count + whole[-2:]


def jpeg_with_exif(block: bytes) -> bytes:
    whole = encoded(scene(), "JPEG")
    exif = b"Exif\0\0" + block
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]


def svg_with_defaults(megabytes: int, elements: int) -> bytes:
    declared = f'<!DOCTYPE svg [<!ATTLIST a d CDATA "{"x" * megabytes * 1_000_000}">]>'
    return svg("<a/>" * elements, before=declared)


def png_of_noise(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 90).convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
