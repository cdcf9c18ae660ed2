"""What a finished file is, and what it says about itself."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.layouts.values import Finding

PictureKind = Literal["png", "jpeg", "webp", "avif"]
FileKind = Literal["png", "jpeg", "webp", "avif", "pdf", "psd"]
ENDINGS: dict[FileKind, str] = {kind: kind for kind in ("png", "webp", "avif", "pdf", "psd")} | {"jpeg": "jpg"}
MEDIA_TYPES: dict[FileKind, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "pdf": "application/pdf",
    "psd": "image/vnd.adobe.photoshop",
}


@dataclass(frozen=True)
class Provenance:
    """What a file says about itself. ``created_at`` has a time zone; the same facts give the same bytes.

    ``ai_statement`` is the sentence that is shown to people where they ask a file about its origin; ``has_ai`` is the
    mark that platforms label it by.
    """

    created_at: datetime
    software: str
    title: str = ""
    alt_text: str = ""
    ai_statement: str = ""
    has_ai: bool = True


@dataclass(frozen=True)
class AdFile:
    """A file to hand out. ``findings`` have the codes of ``app.ad_files.findings.SENTENCES``."""

    content: bytes = field(repr=False)
    kind: FileKind
    findings: tuple[Finding, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def ending(self) -> str:
        """Of its name, without the dot."""
        return ENDINGS[self.kind]

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.kind]
