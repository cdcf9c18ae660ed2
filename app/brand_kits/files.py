"""A kit's files: from an upload to the storage, and from there to whoever lays out an ad.

Reading is slow and done by disposable processes, before a transaction; what comes back are plain facts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.brand_kits.errors import KitFileTooLarge
from app.brand_kits.snapshot import RESTRICTED, Font, KitSnapshot, Logo, LogoKind
from app.errors import NotFound
from app.images.reading.names import shown_name
from app.reading import pool
from app.storage import Storage

MB = 1_000_000
MOST_LOGO_MB = 8
MOST_FONT_MB = 24
"""Fonts of Chinese, Japanese or Korean have ten to twenty."""
MOST_AT_ONCE = 8
"""Fonts of one upload: the cuts of a family."""


@dataclass(frozen=True)
class KeptFile:
    """A file that was checked and is in the storage, with a picture of it."""

    filename: str
    sha256: str
    key: str
    preview_key: str
    byte_count: int
    facts: dict[str, Any]
    """What the reader says of it."""

    def logo(self, kind: LogoKind, **placed: Any) -> Logo:
        """It as a kit's logo; ``placed`` are ``clear_space`` and ``least_width``."""
        return Logo(kind=kind, **self._common(), **self.facts, **placed)

    def font(self, licence: str, may_embed: bool | None) -> Font:
        """It as a kit's font; where nobody says whether it may be embedded, it may unless it forbids that itself."""
        allowed = not self.facts["fs_type"] & RESTRICTED if may_embed is None else may_embed
        return Font(**self._common(), **self.facts, licence=licence, may_embed=allowed)

    def _common(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "key": self.key, "filename": self.filename, "byte_count": self.byte_count}


def keep_logo(storage: Storage, file: BinaryIO, filename: str, size: int, *, project_id: str) -> KeptFile:
    """Check a logo of ``size`` bytes and keep it. Raises ``KitFileRefused`` and its kinds, those of
    ``images.reading.svg``, ``Unreadable``, ``ReadersBusy``."""
    return _keep(storage, "logo", _read(file, filename, size, MOST_LOGO_MB), filename, project_id)


def keep_font(storage: Storage, file: BinaryIO, filename: str, size: int, *, project_id: str) -> KeptFile:
    """Check a font of ``size`` bytes and keep it as TTF or OTF. Raises ``KitFileRefused`` and its kinds,
    ``Unreadable``, ``ReadersBusy``."""
    return _keep(storage, "font", _read(file, filename, size, MOST_FONT_MB), filename, project_id)


def _read(file: BinaryIO, filename: str, size: int, limit_mb: int) -> bytes:
    if size > limit_mb * MB:
        raise KitFileTooLarge(name=shown_name(filename), size_mb=-(-size // MB), limit_mb=limit_mb)
    return file.read(limit_mb * MB + 1)


def _keep(storage: Storage, reader: str, data: bytes, filename: str, project_id: str) -> KeptFile:
    name = shown_name(filename)
    answer = pool.ask(reader, {"name": name}, [data], name=name)
    facts, (content, preview) = dict(answer.value), answer.blobs
    sha256 = facts.pop("sha256")
    folder = f"projects/{project_id}/kit/{sha256}"
    key, preview_key = f"{folder}/{reader}.{facts['format']}", f"{folder}/preview.png"
    storage.put(key, content)
    storage.put(preview_key, preview)
    return KeptFile(name, sha256, key, preview_key, len(content), facts)


def fonts_folder(storage: Storage, snapshot: KitSnapshot, folder: Path, *, only_embeddable: bool = False) -> list[Path]:
    """Put the kit's fonts into ``folder``, which is there, as ``<16 digits>.ttf`` or ``.otf``; returns the files,
    in the kit's order. ``only_embeddable`` leaves out those that may not go into a PDF.

    Raises ``FileNotFoundError`` where the storage has lost one, ``StorageAway``.
    """
    written = []
    for font in snapshot.fonts:
        if font.may_embed or not only_embeddable:
            target = folder / f"{font.sha256[:16]}.{font.format}"
            storage.fetch(font.key, target)
            written.append(target)
    return written


def logo_bytes(storage: Storage, snapshot: KitSnapshot, kind: LogoKind) -> bytes:
    """The checked SVG or PNG of that kind; ``snapshot.logo(kind)`` says which, and how it is placed.

    Raises ``NotFound`` where the kit has none, ``FileNotFoundError`` where the storage has lost it, ``StorageAway``.
    """
    logo = snapshot.logo(kind)
    if logo is None:
        raise NotFound()
    return storage.get(logo.key)
