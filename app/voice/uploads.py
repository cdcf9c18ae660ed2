"""From an upload to a file in the storage that can be read: everything slow before the first statement."""

from typing import BinaryIO

from app.db import new_id
from app.images.names import shown_name
from app.storage import Storage
from app.voice import intake
from app.voice.archives import MB
from app.voice.errors import NothingPasted, TextsTooLarge
from app.voice.intake import Content, TextLimits
from app.voice.service import StoredTexts, folder_of

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
    data = file.read(limits.most_bytes + 1)
    file_format = intake.checked_format(data, name, limits)
    return _kept(storage, data, name, file_format, project_id, limits)


def keep_pasted(storage: Storage, words: str, *, project_id: str, limits: TextLimits) -> tuple[str, StoredTexts]:
    """The same for text that somebody pasted. Raises ``NothingPasted``."""
    if not words.strip():
        raise NothingPasted()
    return _kept(storage, words.encode("utf-8", "ignore"), PASTED, "paste", project_id, limits)


def _kept(
    storage: Storage, data: bytes, name: str, file_format: str, project_id: str, limits: TextLimits
) -> tuple[str, StoredTexts]:
    intake.read(data, file_format, name, limits)
    import_id = new_id()
    key = f"{folder_of(project_id, import_id)}/texts"
    storage.put(key, data)
    return import_id, StoredTexts(name, file_format, len(data), key)


def content_of(storage: Storage, stored: StoredTexts, limits: TextLimits) -> Content:
    """What is in a stored file. Raises ``TextsRefused`` and its kinds."""
    return intake.read(storage.get(stored.key), stored.format, stored.filename, limits)
