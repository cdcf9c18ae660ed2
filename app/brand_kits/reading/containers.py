"""The outside of font files, counted before any library unpacks them.

A font is a directory of tables. Its numbers are claims: a few kilobytes can promise gigabytes, millions of characters
or thousands of tables. Here they are added up from the bytes themselves.
"""

import struct

import brotli

from app.brand_kits.errors import BrokenFont, FontTooComplex, NotAFont

TRUETYPE, OPENTYPE, WOFF2 = b"\x00\x01\x00\x00", b"OTTO", b"wOF2"
MOST_TABLES = 64
MOST_UNPACKED = 40_000_000
"""Bytes of a WOFF2 file's tables together; large fonts of Chinese characters have some twenty million."""
MOST_NAMES = 2_000
MOST_NAME_BYTES = 500_000
MOST_SUBTABLES = 64
MOST_CHARACTERS = 400_000
"""That all maps from characters to glyphs together may name; Unicode has 160,000."""
NEEDED = ("cmap", "head", "hhea", "hmtx", "maxp", "name")
PIECE = 1 << 20
_GLYF, _LOCA, _OTHER_TAG = 10, 11, 0x3F
Tables = dict[str, tuple[int, int]]


def kind_of(data: bytes, name: str) -> bytes:
    """The first four bytes where they are those of a font that is read. Raises ``NotAFont``."""
    start = data[:4]
    if start not in (TRUETYPE, OPENTYPE, WOFF2):
        raise NotAFont(name=name)
    return start


def check_woff2(data: bytes, name: str) -> None:
    """Count what a WOFF2 file promises, and unpack it once piece by piece to see whether that is true.

    Raises ``BrokenFont``, ``FontTooComplex``.
    """
    try:
        count, sfnt_size, packed_size = struct.unpack_from(">H2xLL", data, 12)
        at, unpacked = 48, 0
        if not 0 < count <= MOST_TABLES or sfnt_size > MOST_UNPACKED:
            raise FontTooComplex(name=name)
        for _ in range(count):
            flags = data[at]
            tag, version = flags & _OTHER_TAG, flags >> 6
            at += 5 if tag == _OTHER_TAG else 1
            length, at = _base128(data, at)
            if version != (3 if tag in (_GLYF, _LOCA) else 0):
                length, at = _base128(data, at)
            unpacked += length
    except (struct.error, IndexError, ValueError) as error:
        raise BrokenFont(name=name) from error
    if unpacked > MOST_UNPACKED:
        raise FontTooComplex(name=name)
    if at + packed_size > len(data):
        raise BrokenFont(name=name)
    _unpack_once(data[at : at + packed_size], unpacked, name)


def without_extras(data: bytes) -> bytes:
    """A WOFF2 file that says that it has neither metadata nor private data, which the library would unpack unasked."""
    return data[:28] + bytes(20) + data[48:]


def _base128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(5):
        byte = data[at + step]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, at + step + 1
    raise ValueError("a number of more than five bytes")


def _unpack_once(packed: bytes, expected: int, name: str) -> None:
    unpacker, found = brotli.Decompressor(), 0
    try:
        found += len(unpacker.process(packed, output_buffer_limit=PIECE))
        while not unpacker.is_finished() and not unpacker.can_accept_more_data() and found <= expected:
            found += len(unpacker.process(b"", output_buffer_limit=PIECE))
    except brotli.error as error:
        raise BrokenFont(name=name) from error
    if found > expected:
        raise FontTooComplex(name=name)
    if found < expected or not unpacker.is_finished():
        raise BrokenFont(name=name)


def tables_of(data: bytes, name: str) -> Tables:
    """Where each table of a TTF or OTF lies: offset and length in bytes, all of them within the file and none counted
    twice. Raises ``BrokenFont``, ``FontTooComplex``."""
    try:
        (count,) = struct.unpack_from(">H", data, 4)
        if not 0 < count <= MOST_TABLES:
            raise FontTooComplex(name=name)
        found: Tables = {}
        for number in range(count):
            tag, _checksum, offset, length = struct.unpack_from(">4sLLL", data, 12 + 16 * number)
            if offset + length > len(data):
                raise BrokenFont(name=name)
            found[tag.decode("latin-1")] = (offset, length)
    except struct.error as error:
        raise BrokenFont(name=name) from error
    if len(found) != count or sum(length for _offset, length in found.values()) > len(data):
        raise BrokenFont(name=name)
    has_outlines = {"glyf", "loca"} <= found.keys() or "CFF " in found or "CFF2" in found
    if not has_outlines or not all(tag in found for tag in NEEDED):
        raise BrokenFont(name=name)
    return found


def check_counts(data: bytes, tables: Tables, name: str) -> int:
    """That the tables are as long as their numbers say, and their lists no longer than any font's; the glyphs' number.

    Raises ``BrokenFont``, ``FontTooComplex``.
    """
    try:
        (glyphs,) = struct.unpack_from(">H", data, tables["maxp"][0] + 4)
        (metrics,) = struct.unpack_from(">H", data, tables["hhea"][0] + 34)
        (long_offsets,) = struct.unpack_from(">h", data, tables["head"][0] + 50)
        (names,) = struct.unpack_from(">H", data, tables["name"][0] + 2)
        is_whole = 0 < metrics <= glyphs and tables["hmtx"][1] >= 4 * metrics + 2 * (glyphs - metrics)
        if "loca" in tables:
            is_whole = is_whole and tables["loca"][1] >= (glyphs + 1) * (4 if long_offsets else 2)
        if not is_whole:
            raise BrokenFont(name=name)
        if names > MOST_NAMES or tables["name"][1] > MOST_NAME_BYTES:
            raise FontTooComplex(name=name)
        _check_characters(data, *tables["cmap"], name)
    except struct.error as error:
        raise BrokenFont(name=name) from error
    return int(glyphs)


def _check_characters(data: bytes, start: int, length: int, name: str) -> None:
    (count,) = struct.unpack_from(">H", data, start + 2)
    if count > MOST_SUBTABLES:
        raise FontTooComplex(name=name)
    offsets = {struct.unpack_from(">L", data, start + 8 + 8 * number)[0] for number in range(count)}
    characters = 0
    for offset in offsets:
        if offset + 4 > length:
            raise BrokenFont(name=name)
        characters += _characters(data, start + offset, start + length)
        if characters > MOST_CHARACTERS:
            raise FontTooComplex(name=name)


def _characters(data: bytes, at: int, end: int) -> int:
    """How many characters one map names; of the kinds that cannot name many, 0."""
    (kind,) = struct.unpack_from(">H", data, at)
    if kind == 4:
        segments = struct.unpack_from(">H", data, at + 6)[0] // 2
        ends = struct.unpack_from(f">{segments}H", data, at + 14)
        starts = struct.unpack_from(f">{segments}H", data, at + 16 + 2 * segments)
        return sum(max(0, last - first + 1) for first, last in zip(starts, ends, strict=True))
    if kind in (12, 13):
        (groups,) = struct.unpack_from(">L", data, at + 12)
        if at + 16 + 12 * groups > end:
            raise struct.error
        pairs = struct.iter_unpack(">LLL", data[at + 16 : at + 16 + 12 * groups])
        return sum(max(0, last - first + 1) for first, last, _glyph in pairs)
    return 0
