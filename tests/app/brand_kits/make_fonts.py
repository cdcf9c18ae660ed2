"""Small fonts, sound ones and hostile ones, made with fontTools."""

import io
import struct

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

LETTERS = "ABCDEFGHKQRabceghkqr0123456789&?!"


def font_file(
    family: str = "Muster Sans",
    style: str = "Regular",
    *,
    weight: int = 400,
    fs_type: int = 0,
    letters: str = LETTERS,
    flavor: str | None = None,
) -> bytes:
    """A font whose every letter is a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((50, 700), (500, 700), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", "space", *(f"glyph{ord(one)}" for one in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({32: "space"} | {ord(one): f"glyph{ord(one)}" for one in letters})
    builder.setupGlyf({name: TTGlyphPen(None).glyph() if name == "space" else square for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (550, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": style})
    builder.setupOS2(usWeightClass=weight, fsType=fs_type)
    builder.setupPost()
    builder.font.flavor = flavor
    builder.updateHead(created=0, modified=0)
    builder.font.recalcTimestamp = False  # the same font whenever it is made
    content = io.BytesIO()
    builder.font.save(content)
    return content.getvalue()


def with_table(font: bytes, tag: bytes, change: "dict[int, bytes]") -> bytes:
    """``font`` with bytes of one table replaced, by their places in it."""
    found = bytearray(font)
    for number in range(struct.unpack_from(">H", font, 4)[0]):
        name, _sum, offset, _length = struct.unpack_from(">4sLLL", font, 12 + 16 * number)
        if name == tag:
            for place, content in change.items():
                found[offset + place : offset + place + len(content)] = content
    return bytes(found)


def table_offset(font: bytes, tag: bytes) -> int:
    for number in range(struct.unpack_from(">H", font, 4)[0]):
        name, _sum, offset, _length = struct.unpack_from(">4sLLL", font, 12 + 16 * number)
        if name == tag:
            return int(offset)
    raise KeyError(tag)
