"""Real files for the tests of image intake, made where they are needed."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from PIL import Image

DATA = Path(__file__).parents[2] / "data" / "images"
HEIC = DATA / "turned-with-place.heic"
BRAND_RED = (200, 30, 45)


def scene(width: int = 320, height: int = 200, seed: int = 1) -> Image.Image:
    """A picture with structure: upper left brand red, smooth patches elsewhere."""
    patches = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
    image.paste(BRAND_RED, (0, 0, width // 4, height // 4))
    return image


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF with an orientation and a place in Munich."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = "SecretCamera"
    gps = block.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (48.0, 8.0, 14.0), "E", (11.0, 34.0, 30.0)
    return block


def flat_cmyk(inks: tuple[int, int, int, int]) -> pyvips.Image:
    black = pyvips.Image.black(160, 120, bands=4)
    return (black + list(inks)).cast("uchar").copy(interpretation="cmyk")


def brand_red_in_cmyk() -> pyvips.Image:
    """The brand red as a print shop would get it, with the profile inside."""
    red = (pyvips.Image.black(160, 120, bands=3) + list(BRAND_RED)).cast("uchar").copy(interpretation="srgb")
    return red.icc_transform("cmyk", input_profile="srgb", intent="relative", black_point_compensation=True)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int, interlaced: bool = False) -> bytes:
    """A sound 1-bit PNG of a few kilobytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def svg(body: str, attributes: str = 'viewBox="0 0 200 100"', before: str = "") -> bytes:
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {namespaces} {attributes}>{body}</svg>".encode()
