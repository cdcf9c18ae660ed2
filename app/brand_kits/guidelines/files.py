"""A guideline's way from an upload to proposals: read by a disposable process, its logos kept, itself forgotten."""

from dataclasses import dataclass
from typing import BinaryIO

from app.brand_kits.errors import KitFileTooLarge
from app.brand_kits.files import MB, KeptFile
from app.brand_kits.guidelines.models import GuidelineLogo
from app.brand_kits.guidelines.proposals import Found, FoundLogo
from app.db import new_id
from app.images.reading.names import shown_name
from app.reading import pool
from app.storage import Storage

MOST_GUIDELINE_MB = 60


@dataclass(frozen=True)
class StoredLogo:
    sha256: str
    byte_count: int
    key: str
    preview_key: str


@dataclass(frozen=True)
class ReadGuideline:
    """What was found; ``logos`` are in the storage, in the order of ``found.logos``."""

    id: str
    filename: str
    found: Found
    logos: tuple[StoredLogo, ...]


def read_guideline(storage: Storage, file: BinaryIO, filename: str, size: int, *, project_id: str) -> ReadGuideline:
    """Read a PDF of ``size`` bytes. Raises ``KitFileRefused`` and its kinds, ``Unreadable``, ``ReadersBusy``."""
    name = shown_name(filename)
    if size > MOST_GUIDELINE_MB * MB:
        raise KitFileTooLarge(name=name, size_mb=-(-size // MB), limit_mb=MOST_GUIDELINE_MB)
    answer = pool.ask("guideline", {"name": name}, [file.read(MOST_GUIDELINE_MB * MB + 1)], name=name)
    found, guideline_id = Found.model_validate(answer.value), new_id()
    folder, logos = guideline_folder(project_id, guideline_id), []
    for place, logo in enumerate(found.logos):
        content, preview = answer.blobs[2 * place : 2 * place + 2]
        key, preview_key = f"{folder}/{place}.{logo.format}", f"{folder}/{place}-preview.png"
        storage.put(key, content)
        storage.put(preview_key, preview)
        logos.append(StoredLogo(logo.sha256, len(content), key, preview_key))
    return ReadGuideline(guideline_id, name, found, tuple(logos))


def guideline_folder(project_id: str, guideline_id: str) -> str:
    """Where its logos lie until it is taken over or dismissed."""
    return f"projects/{project_id}/guidelines/{guideline_id}"


def keep_found_logo(storage: Storage, row: GuidelineLogo, found: FoundLogo, filename: str) -> KeptFile:
    """Copy a proposed logo to the kit's files. Raises ``FileNotFoundError`` where the storage has lost it."""
    folder = f"projects/{row.project_id}/kit/{row.sha256}"
    key, preview_key = f"{folder}/logo.{found.format}", f"{folder}/preview.png"
    storage.put(key, storage.get(row.key))
    storage.put(preview_key, storage.get(row.preview_key))
    facts = found.model_dump(include={"format", "width", "height", "transparent"})
    return KeptFile(f"{filename} {row.place + 1}", row.sha256, key, preview_key, row.byte_count, facts)
