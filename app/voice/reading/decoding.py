"""Decodes the bytes of a text file, whatever program wrote it."""

import codecs
import re
import unicodedata

from app.plain_text import composed

BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
REPLACEMENT = "\ufffd"
MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")


def decode(data: bytes) -> tuple[str, str]:
    """The text, and the encoding that it was in. Never fails: a byte that nobody can read becomes U+FFFD.

    UTF-8 and UTF-16 by their marks; UTF-16 without one by its zero bytes; else UTF-8, also where a few rows of a file
    that was pasted together are not; else Windows-1252, which is what is left in German and English offices.
    """
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace"), encoding
    start = data[:2000]
    if start.count(0) > len(start) // 4:
        little = start[1::2].count(0) >= start[0::2].count(0)
        encoding = "utf-16-le" if little else "utf-16-be"
        return data.decode(encoding, "replace"), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    if len(MULTIBYTE.findall(data)) > text.count(REPLACEMENT):
        return text, "utf-8"
    return data.decode("cp1252", "replace"), "windows-1252"


DECLARABLE = frozenset(
    (
        *("utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "latin-1", "latin1"),
        *(f"iso-8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
        *(f"windows-125{part}" for part in range(9)),
        *(f"cp125{part}" for part in range(9)),
        *("macintosh", "koi8-r", "koi8-u", "shift_jis", "euc-jp", "euc-kr", "gb2312", "gbk", "gb18030", "big5"),
    )
)
"""Encodings that a file may name itself: those that pages have been written in. Python knows others, some of which take
time that grows with the square of the length."""


def decode_declared(data: bytes, encoding: str) -> str:
    """The text, in the encoding that the file names for itself if that is one of ``DECLARABLE``; never fails."""
    known = encoding.lower()
    if known not in DECLARABLE or data.startswith(tuple(bom for bom, _ in BOMS)):
        return decode(data)[0]
    return data.decode(known, "replace")


def is_binary(data: bytes) -> bool:
    """Whether this is no text at all: characters that no text has are many in it."""
    text, _ = decode(data[:8000])
    strange = sum(unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") and char not in "\t\n\r\f" for char in text)
    return strange > 0.02 * max(1, len(text))


def cleaned(text: str) -> str:
    """Plain line ends, composed letters, nothing that cannot be shown, no white space around it or at line ends."""
    normal = composed(text).replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    lines = _NEVER.sub("", normal).replace("\xa0", " ").split("\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def one_line(text: str, most: int) -> str:
    return " ".join(cleaned(text).split())[:most].rstrip()
