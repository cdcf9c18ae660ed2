"""Stores uploaded texts after a first look, before the transaction's first statement, as that may be slow."""

from typing import BinaryIO

from app.db import new_id
from app.images.reading.names import shown_name
from app.storage import Storage
from app.voice.errors import NothingPasted, TextsTooLarge
from app.voice.imports.service import StoredTexts, import_folder
from app.voice.reading.archives import MB
from app.voice.reading.intake import TextLimits
from app.voice.reading.readers import TextFile, checked_format

PASTED = "paste.txt"


def keep(
    storage: Storage, file: BinaryIO, filename: str, size: int, *, project_id: str, limits: TextLimits
) -> tuple[str, StoredTexts]:
    """The id of a new import and its stored file. What cannot be read is refused here, and not stored.

    Raises ``TextsRefused`` and its kinds.
    """
    name = shown_name(filename)
    if size > limits.most_bytes:
        raise TextsTooLarge(name=name, size_mb=-(-size // MB), limit_mb=limits.most_bytes // MB)
    return _kept(storage, TextFile(file.read(limits.most_bytes + 1), None, name, limits), project_id)


def keep_pasted(storage: Storage, words: str, *, project_id: str, limits: TextLimits) -> tuple[str, StoredTexts]:
    """The same for text that somebody pasted. Raises ``NothingPasted``."""
    if not words.strip():
        raise NothingPasted()
    return _kept(storage, TextFile(words.encode("utf-8", "ignore"), "paste", PASTED, limits), project_id)


def _kept(storage: Storage, file: TextFile, project_id: str) -> tuple[str, StoredTexts]:
    file_format = checked_format(file)
    import_id = new_id()
    key = f"{import_folder(project_id, import_id)}/texts"
    storage.put(key, file.data)
    return import_id, StoredTexts(file.name, file_format, len(file.data), key)


def opened(storage: Storage, stored: StoredTexts, limits: TextLimits) -> TextFile:
    """A stored file, to be read. Raises ``FileNotFoundError``."""
    return TextFile(storage.get(stored.key), stored.format, stored.filename, limits)
