"""Files that are ZIPs inside (XLSX, DOCX), looked at before anything is unpacked."""

import io
import zipfile
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException

from app.reading.zips import READ_ERRORS, is_unpacked_in_steps
from app.voice.errors import EncryptedTexts, TextsRefused, UnpacksTooLarge

MB = 1_000_000
MOST_ENTRIES = 5_000
OLE_START = b"\xd0\xcf\x11\xe0"
"""An office file with a password is not a ZIP but such a container, as are the formats of before 2007."""

BROKEN_XML = (ParseError, ExpatError, DefusedXmlException, LookupError, ValueError, TypeError, SyntaxError)
"""What reading the XML in it raises; an encoding that nobody knows is a ``LookupError``."""


def checked_archive(data: bytes, name: str, *, most_bytes: int) -> zipfile.ZipFile:
    """The ZIP, if what it says it unpacks to is within bounds; ``zipfile`` unpacks no more than that either.

    Raises ``EncryptedTexts``, ``UnpacksTooLarge``, ``TextsRefused``.
    """
    if data.startswith(OLE_START):
        raise EncryptedTexts(name=name)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except READ_ERRORS as error:
        raise TextsRefused(name=name) from error
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise EncryptedTexts(name=name)
    if not all(map(is_unpacked_in_steps, entries)):
        raise TextsRefused(name=name)
    if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > most_bytes:
        raise UnpacksTooLarge(name=name, limit_mb=most_bytes // MB)
    return archive
