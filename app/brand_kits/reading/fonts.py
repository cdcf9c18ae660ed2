"""Fonts: counted, read, a WOFF2 written as TTF or OTF, and a line drawn with them.

Called in readers alone, whose limits are the system's.
"""

import hashlib
import io
import struct
import unicodedata
from dataclasses import dataclass, field
from typing import Any

import brotli
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image as Pixels
from PIL import ImageDraw, ImageFont

from app.brand_kits.errors import BrokenFont, FontTooComplex
from app.brand_kits.reading.containers import (
    OPENTYPE,
    WOFF2,
    check_counts,
    check_woff2,
    kind_of,
    tables_of,
    without_extras,
)
from app.plain_text import composed

BROKEN = (TTLibError, brotli.error, struct.error, ValueError, LookupError, AssertionError, AttributeError, TypeError)
"""What the libraries raise about a font that contradicts itself."""
MOST_GLYPHS_OF_WOFF2 = 30_000
"""Their outlines are put together again one by one; more would take longer than one file gets."""
LONGEST_NAME = 100
SPECIMEN = "Aa Gg Kk Qq Rr Ää ß é 0123456789 & € ?!"
LEAST_OF_SPECIMEN = 12
"""Characters of it that a font must have; one that has fewer shows what it has."""
OWN_CHARACTERS = 24
SIZE, LONGEST_SIDE, MARGIN = 72, 1600, 3
"""Pixels."""


@dataclass(frozen=True)
class ReadFont:
    """A checked font as TTF or OTF; ``preview`` is a line of it as PNG, black on nothing."""

    format: str
    sha256: str
    family: str
    style: str
    weight: int
    italic: bool
    variable: bool
    glyphs: int
    fs_type: int
    content: bytes = field(repr=False)
    preview: bytes = field(repr=False)


def read_font(data: bytes, name: str) -> ReadFont:
    """Raises ``NotAFont``, ``BrokenFont``, ``FontTooComplex``."""
    try:
        content = _unpacked(data, name) if kind_of(data, name) == WOFF2 else data
        kind_of(content, name)
        glyphs = check_counts(content, tables_of(content, name), name)
        font = TTFont(io.BytesIO(content), lazy=True, recalcBBoxes=False, recalcTimestamp=False)
        facts = _facts(font)
        characters = font.getBestCmap() or {}
    except BROKEN as error:
        raise BrokenFont(name=name) from error
    return ReadFont(
        format="otf" if content[:4] == OPENTYPE else "ttf",
        sha256=hashlib.sha256(content).hexdigest(),
        variable="fvar" in font,
        glyphs=glyphs,
        content=content,
        preview=_specimen(content, _line(set(characters)), name),
        **facts,
    )


def _unpacked(data: bytes, name: str) -> bytes:
    check_woff2(data, name)
    font = TTFont(io.BytesIO(without_extras(data)), recalcBBoxes=False, recalcTimestamp=False)
    if font["maxp"].numGlyphs > MOST_GLYPHS_OF_WOFF2:
        raise FontTooComplex(name=name)
    font.flavor = None
    content = io.BytesIO()
    font.save(content, reorderTables=None)
    return content.getvalue()


def _facts(font: TTFont) -> dict[str, Any]:
    names = font["name"]
    marks = font.get("OS/2")
    bold, italic = bool(font["head"].macStyle & 1), bool(font["head"].macStyle & 2)
    weight = marks.usWeightClass if marks is not None else 700 if bold else 400
    return {
        "family": _plain(names.getDebugName(16) or names.getDebugName(1)) or "?",
        "style": _plain(names.getDebugName(17) or names.getDebugName(2)) or "Regular",
        "weight": min(max(int(weight), 1), 1000),
        "italic": italic or bool(marks is not None and marks.fsSelection & 1),
        "fs_type": int(marks.fsType) if marks is not None else 0,
    }


def _plain(text: str | None) -> str:
    """On one line, without what cannot be shown."""
    clean = "".join(one if unicodedata.category(one)[0] != "C" else " " for one in composed(text or ""))
    return " ".join(clean.split())[:LONGEST_NAME].strip()


def _line(characters: set[int]) -> str:
    there = [one for one in SPECIMEN if one == " " or ord(one) in characters]
    if sum(one != " " for one in there) >= LEAST_OF_SPECIMEN:
        return " ".join("".join(there).split())
    own = [chr(code) for code in sorted(characters) if unicodedata.category(chr(code))[0] in "LNSP"]
    return "".join(own[:OWN_CHARACTERS])


def _specimen(content: bytes, line: str, name: str) -> bytes:
    try:
        font = ImageFont.truetype(io.BytesIO(content), SIZE, layout_engine=ImageFont.Layout.BASIC)
        left, top, right, bottom = font.getbbox(line or " ")
        width = int(min(max(right - left, 1), LONGEST_SIDE)) + 2 * MARGIN
        height = int(min(max(bottom - top, 1), 4 * SIZE)) + 2 * MARGIN
        drawn = Pixels.new("L", (width, height), 0)
        ImageDraw.Draw(drawn).text((MARGIN - left, MARGIN - top), line, fill=255, font=font)
    except (OSError, ValueError) as error:
        raise BrokenFont(name=name) from error
    preview = io.BytesIO()
    Pixels.merge("LA", (Pixels.new("L", drawn.size, 0), drawn)).save(preview, "PNG", optimize=True)
    return preview.getvalue()
