"""Which characters a folder of fonts can draw, read from their ``cmap`` tables (OpenType 1.9)."""

import struct
import unicodedata
from functools import lru_cache
from pathlib import Path

from app.layouts.typesetting import FONTS

_SHAPELESS = ("Cc", "Cf", "Zl", "Zp", "Zs")
"""Categories of characters that need no shape of their own."""


def missing(text: str, fonts_folder: Path) -> set[str]:
    """The characters of the text that neither the folder's fonts nor those that stand in for them can draw."""
    there = _characters(FONTS, _stamp(FONTS)) | _characters(fonts_folder, _stamp(fonts_folder))
    return {one for one in text if ord(one) not in there and unicodedata.category(one) not in _SHAPELESS}


def _stamp(folder: Path) -> tuple[tuple[str, int], ...]:
    files = (path for path in folder.iterdir() if path.suffix.lower() in (".ttf", ".otf"))
    return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=16)
def _characters(folder: Path, stamp: tuple[tuple[str, int], ...]) -> frozenset[int]:
    return frozenset().union(*(characters((folder / name).read_bytes()) for name, _ in stamp))


def characters(font: bytes) -> frozenset[int]:
    """Code points that the font has a glyph for; none where it is no font that can be read."""
    found: set[int] = set()
    try:
        for i in range(struct.unpack_from(">H", font, 4)[0]):
            tag, _, offset, _ = struct.unpack_from(">4sIII", font, 12 + 16 * i)
            if tag == b"cmap":
                for j in range(struct.unpack_from(">H", font, offset + 2)[0]):
                    (place,) = struct.unpack_from(">I", font, offset + 8 + 8 * j)
                    found |= _of_table(font, offset + place)
    except struct.error:
        return frozenset()
    return frozenset(found)


def _of_table(font: bytes, at: int) -> set[int]:
    (form,) = struct.unpack_from(">H", font, at)
    if form == 12:
        (count,) = struct.unpack_from(">I", font, at + 12)
        groups = (struct.unpack_from(">III", font, at + 16 + 12 * i) for i in range(min(count, 0x10000)))
        return {code for first, last, _ in groups for code in range(first, min(last, 0x10FFFF) + 1)}
    if form != 4:
        return set()
    segments = struct.unpack_from(">H", font, at + 6)[0] // 2
    starts = at + 16 + 2 * segments
    ends = struct.unpack_from(f">{segments}H", font, at + 14)
    firsts = struct.unpack_from(f">{segments}H", font, starts)
    deltas = struct.unpack_from(f">{segments}H", font, starts + 2 * segments)
    ranges = struct.unpack_from(f">{segments}H", font, starts + 4 * segments)
    found = set()
    for i, (first, last, delta, jump) in enumerate(zip(firsts, ends, deltas, ranges, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code + delta
            if jump:
                (named,) = struct.unpack_from(">H", font, starts + 4 * segments + 2 * i + jump + 2 * (code - first))
                glyph = named + delta if named else 0
            if glyph % 0x10000:
                found.add(code)
    return found
