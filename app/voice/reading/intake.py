"""Reads an uploaded file into rows or blocks, by what the file is and not by its name."""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

from app.reading.zips import READ_ERRORS
from app.voice.errors import NoTexts, TextsTooLarge, UnsupportedTexts
from app.voice.reading import documents, tables, workbooks
from app.voice.reading.archives import MB, OLE_START
from app.voice.reading.decoding import is_binary
from app.voice.reading.documents import Document
from app.voice.reading.tables import Table

Content = Table | Document
FORMATS = ("csv", "xlsx", "json", "txt", "md", "html", "docx", "paste")
DOCUMENTS = ("txt", "md", "html", "docx")
"""Formats of which a file may be one text."""
_BY_ENDING = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".txt": "txt",
    ".text": "txt",
}
ZIP_START = b"PK\x03\x04"


@dataclass(frozen=True)
class TextLimits:
    """What one file may weigh, as it comes and unpacked."""

    most_bytes: int
    most_unpacked_bytes: int

    @classmethod
    def of(cls, max_text_mb: int) -> "TextLimits":
        """Unpacked a file may be three times the limit: office files are packed texts."""
        return cls(max_text_mb * MB, 3 * max_text_mb * MB)


def format_of(data: bytes, name: str) -> str:
    """One of ``FORMATS``. Raises ``UnsupportedTexts``."""
    ending = PurePosixPath(name.lower().replace("\\", "/")).suffix
    if data.startswith(OLE_START):
        return "docx" if ending == ".docx" else "xlsx"  # refused there, with the sentence about passwords
    if data.startswith(ZIP_START):
        try:
            names = set(zipfile.ZipFile(BytesIO(data)).namelist())
        except READ_ERRORS as error:
            raise UnsupportedTexts(name=name) from error
        if "word/document.xml" in names:
            return "docx"
        if "xl/workbook.xml" in names:
            return "xlsx"
        raise UnsupportedTexts(name=name)
    if ending not in _BY_ENDING or is_binary(data):
        raise UnsupportedTexts(name=name)
    return _BY_ENDING[ending]


def checked_format(data: bytes, name: str, limits: TextLimits) -> str:
    """The format of a file that may be read. Raises ``TextsTooLarge``, ``NoTexts``, ``UnsupportedTexts``."""
    if len(data) > limits.most_bytes:
        raise TextsTooLarge(name=name, size_mb=-(-len(data) // MB), limit_mb=limits.most_bytes // MB)
    if not data.strip():
        raise NoTexts(name=name)
    return format_of(data, name)


def read(data: bytes, file_format: str, name: str, limits: TextLimits) -> Content:
    """Rows of a table, or blocks of a document; ``reading`` asks a disposable process for it.

    Raises ``TextsRefused`` and its kinds.
    """
    unpacked = limits.most_unpacked_bytes
    match file_format:
        case "csv":
            return tables.read_csv(data, name)
        case "xlsx":
            return workbooks.read_xlsx(data, name, most_bytes=unpacked)
        case "json":
            return tables.read_json(data, name)
        case "md":
            return documents.read_markdown(data, name)
        case "html":
            return documents.read_html(data, name)
        case "docx":
            return documents.read_docx(data, name, most_bytes=unpacked)
        case _:
            return documents.read_text(data, name)
