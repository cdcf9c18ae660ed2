"""What is looked at in a ZIP from outside before the library reads it."""

import lzma
import struct
import zipfile
import zlib
from typing import BinaryIO

BYTES_PER_ENTRY = 1024
"""Of the directory: an entry takes about 150. The library would load any number of them."""
END_RECORD = b"PK\x05\x06"
READ_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError),
    *(ValueError, LookupError, OverflowError, MemoryError, struct.error),
)
"""What the library raises for archives that are damaged, or made to look so."""


def directory_of(file: BinaryIO) -> tuple[int, int] | None:
    """How many entries the directory says that it has, and its bytes; None for what is no ZIP. Reads the end record;
    for zip64 the one before it. ``file`` stands at its beginning afterwards."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the end record and the longest comment
    tail = file.read()
    file.seek(0)
    at = tail.rfind(END_RECORD)
    if at < 0 or len(tail) < at + 22:
        return None
    count, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    # zip64 puts a record of 56 bytes and its locator of 20 right before; `zipfile` looks at exactly this place, too.
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\x06\x07" and tail[at - 76 : at - 72] == b"PK\x06\x06":
        count, directory_bytes = struct.unpack_from("<QQ", tail, at - 76 + 32)
    return count, directory_bytes


def is_unpacked_in_steps(entry: zipfile.ZipInfo) -> bool:
    """Whether the library unpacks it piece by piece. BZIP2 and LZMA it unpacks as a whole, whatever is asked for: 400
    bytes become 300 MB in one step, before anything could be counted. Hardly any program packs with them."""
    return entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
