"""What a PNG says beside its pixels (PNG, third edition): its colour space, and where it comes from."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks that say what is seen."""
RELATIVE = b"\x01"
"""Rendering intent: colours that a screen can show stay as they are."""


def marked(png: bytes, xmp: str, software: str) -> bytes:
    """The same pixels in sRGB, with the packet, and without whatever else the file said. Raises ``ValueError``."""
    out = [SIGNATURE]
    for kind, data in chunks(png):
        if kind in PIXELS:
            out.append(_chunk(kind, data))
        if kind == b"IHDR":
            out.append(_chunk(b"sRGB", RELATIVE))
            out.append(_text("Software", software))
            out.append(_text("XML:com.adobe.xmp", xmp))
    return b"".join(out)


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind and data. Raises ``ValueError`` for what is no PNG."""
    if png[:8] != SIGNATURE or png[12:16] != b"IHDR":
        raise ValueError("not a PNG")
    at = 8
    while at + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def _text(keyword: str, text: str) -> bytes:
    """Not compressed, of no language, its keyword not translated: these are the five zero bytes."""
    return _chunk(b"iTXt", keyword.encode() + bytes(5) + text.encode())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
