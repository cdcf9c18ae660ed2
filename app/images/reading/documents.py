"""Files with texts that people drop among pictures: told by their first and last bytes, with nothing unpacked."""

from typing import BinaryIO

from app.images.errors import DocumentInstead, TextsInstead

TAIL_BYTES = 65_536
"""Where a ZIP lists its members."""
OFFICE = ((b"word/", "Word"), (b"xl/", "Excel"), (b"ppt/", "PowerPoint"))
BY_ENDING = {"csv": "CSV", "tsv": "TSV", "md": "Markdown", "markdown": "Markdown", "json": "JSON", "jsonl": "JSONL"}
STARTS = ((b"%PDF-", "PDF"), (b"{\\rtf", "RTF"), (b"\xd0\xcf\x11\xe0", "Office"))
READ_UNDER_VOICE = {"Word", "Excel", *BY_ENDING.values()}


def refuse_document(file: BinaryIO, name: str, shown: str) -> None:
    """Raises ``TextsInstead`` for what Voice reads, ``DocumentInstead`` for other documents. The file stands at its
    beginning afterwards."""
    kind = _kind(file, name)
    file.seek(0)
    if kind is not None:
        raise (TextsInstead if kind in READ_UNDER_VOICE else DocumentInstead)(name=shown, kind=kind)


def _kind(file: BinaryIO, name: str) -> str | None:
    start = file.read(512)
    for beginning, kind in STARTS:
        if start.startswith(beginning):
            return kind
    if start.startswith(b"PK\x03\x04"):
        first = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        if first == b"mimetype":
            return "OpenDocument"
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        is_office = b"[Content_Types].xml" in tail
        return next((kind for folder, kind in OFFICE if is_office and folder in tail), None)
    is_text = b"\0" not in start
    return BY_ENDING.get(name.rsplit(".", 1)[-1].lower()) if is_text else None
