"""What a file is made of, counted by walking its parts from one to the next, before a decoder lists them all.

Decoders look at every frame, page or chunk even where only the first picture is wanted, some of them once for each
other one. A walk of at most ``MOST_PARTS`` steps tells whether there are too many.
"""

import struct

from app.images.errors import TooManyParts, TruncatedImage, UnsafeImage

MOST_PARTS = 1_000
"""Frames or pages; Livery uses the first one."""
MOST_CHUNKS = 20_000
"""The most chunks that a PNG may have; one of 50 MB has some thousand."""
MOST_BANDS = 8
"""Channels of a TIFF: four inks, transparency and a few spot colours."""
_SAMPLES_PER_PIXEL = 277
_DIRECTORY_ENTRIES = 4_000
"""The most entries that a directory of a TIFF may have; cameras write under a hundred."""


def check_webp(data: bytes, name: str) -> None:
    """Raises ``TooManyParts``."""
    at = 12
    # A still picture has about ten chunks, so that a walk of so many of any kind is as good as one of frames.
    for _ in range(MOST_PARTS + 10):
        if at + 8 > len(data):
            return
        (length,) = struct.unpack_from("<I", data, at + 4)
        at += 8 + length + length % 2
    raise TooManyParts(name=name, limit=MOST_PARTS)


def check_png(data: bytes, name: str) -> None:
    """Raises ``UnsafeImage``."""
    at = 8
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise UnsafeImage(name=name)


def check_gif(data: bytes, name: str) -> None:
    """Raises ``TooManyParts``; what is not well-formed is left to the decoder."""
    if len(data) < 13:
        return
    at = 13 + _palette_bytes(data[10])
    frames = 0
    while at < len(data):
        if data[at] == 0x21:  # an extension: its label, then blocks
            at = _after_blocks(data, at + 2)
        elif data[at] == 0x2C and at + 10 <= len(data):  # a frame: its place, perhaps a palette, then blocks
            frames += 1
            if frames > MOST_PARTS:
                raise TooManyParts(name=name, limit=MOST_PARTS)
            at = _after_blocks(data, at + 11 + _palette_bytes(data[at + 9]))
        else:
            return


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def check_tiff(data: bytes, name: str) -> None:
    """Raises ``TooManyParts``, ``UnsafeImage`` (channels beyond those of any print, or directories that lead in a
    circle), ``TruncatedImage``."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    count_form, offset_form, entry_bytes = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    try:
        (at,) = struct.unpack_from(order + offset_form, data, 8 if is_big else 4)
        seen = set[int]()
        while at:
            if at in seen:
                raise UnsafeImage(name=name)
            seen.add(at)
            if len(seen) > MOST_PARTS:
                raise TooManyParts(name=name, limit=MOST_PARTS)
            (entries,) = struct.unpack_from(order + count_form, data, at)
            if entries > _DIRECTORY_ENTRIES:
                raise UnsafeImage(name=name)
            at += struct.calcsize(order + count_form)
            if len(seen) == 1 and _bands(data, order, at, entries, entry_bytes) > MOST_BANDS:
                raise UnsafeImage(name=name)
            (at,) = struct.unpack_from(order + offset_form, data, at + entries * entry_bytes)
    except struct.error as error:
        raise TruncatedImage(name=name) from error


def _bands(data: bytes, order: str, at: int, entries: int, entry_bytes: int) -> int:
    for entry in range(at, at + entries * entry_bytes, entry_bytes):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag == _SAMPLES_PER_PIXEL:
            value = entry + (8 if entry_bytes == 12 else 12)
            (found,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, value)
            return int(found)
    return 1
