"""From an upload to files in the storage: everything slow that happens before the first statement of a transaction.

A picture is looked at, decoded, and its copies are kept under keys made of the brand's id and the content's hash; what
comes back are plain facts for a row. A picture that the brand has already is not decoded again.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from app.errors import N_
from app.images import captions
from app.images.errors import FileTooLarge, ImageRefused, SvgTooComplex, UnreadableArchive, UnreadableImage
from app.images.reading.archive import MB, ArchiveLimits, ArchiveMember, SkippedMember, read_archive
from app.images.reading.documents import refuse_document
from app.images.reading.formats import sniff
from app.images.reading.names import shown_name
from app.images.reading.notes import Note
from app.images.reading.prepared import IntakeLimits
from app.images.reading.readers import read_picture
from app.machine.memory import give_back_freed
from app.reading.net import otherwise
from app.storage import Storage

LONGEST_CAPTION_FILE = 64 * 1024  # bytes
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
MOST_PIXELS_AT_ONCE = 2_000_000_000
"""The most pixels of all pictures of one ZIP: some hundred photos at the limit, or thousands as phones take them."""
MOST_SECONDS_AT_ONCE = 600.0
MOST_BROKEN_AT_ONCE = 10
"""Pictures of one ZIP that cost a process; each may have taken as long as any."""
WAIT_WITHIN_ARCHIVE = 120.0  # seconds
TOO_MUCH_AT_ONCE = N_(
    "“%(name)s” was skipped: this ZIP contains more than Livery reads at once. Please put the file into another ZIP."
)
ALREADY_HERE = N_("“%(name)s” is already here.")


class NotACaption(ImageRefused):
    """Params: name."""

    status = 413
    sentence = N_("“%(name)s” is too long for a caption. Please keep a caption file to a sentence or two.")


@dataclass(frozen=True)
class Limits:
    """What is taken in at once."""

    picture: IntakeLimits
    archive: ArchiveLimits

    @classmethod
    def of(cls, *, max_image_mb: int, max_archive_mb: int) -> "Limits":
        """Limits by the two settings. What a ZIP unpacks to may be twice what it weighs."""
        return cls(
            IntakeLimits(max_bytes=max_image_mb * MB),
            ArchiveLimits(max_member_bytes=max_image_mb * MB, max_total_bytes=2 * max_archive_mb * MB),
        )


@dataclass(frozen=True)
class Upload:
    """One file as it came: its name, its bytes to read, and how many they are."""

    name: str
    file: BinaryIO
    size: int


@dataclass(frozen=True)
class StoredImage:
    """A picture whose files are in the storage; the facts of its row."""

    filename: str
    format: str
    sha256: str
    byte_count: int
    width: int
    height: int
    working_width: int
    working_height: int
    original_key: str
    working_key: str
    thumb_key: str
    small_thumb_key: str
    placeholder: str
    dhash: str
    sharpness: float
    notes: tuple[Note, ...]
    caption: str


@dataclass(frozen=True)
class KnownImage:
    """A picture that the brand has already. ``caption`` is what came beside it, if anything did."""

    filename: str
    sha256: str
    caption: str | None


@dataclass(frozen=True)
class CaptionFile:
    """A ``.txt`` that came by itself."""

    filename: str
    caption: str


@dataclass(frozen=True)
class LeftOut:
    """A file that was not taken, and the sentence that says why."""

    note: Note


Taken = StoredImage | KnownImage | CaptionFile | LeftOut


def ingest(
    storage: Storage, uploads: Iterable[Upload], *, project_id: str, known: frozenset[str], limits: Limits
) -> list[Taken]:
    """What became of each file, of a ZIP's members too. A file alone that is refused raises; beside others it is
    left out with its sentence, so that nobody loses 199 pictures for one.

    Raises for a single file: ``ImageRefused`` and the errors of ``archive.read_archive``.
    """
    files = list(uploads)
    try:
        if len(files) == 1:
            return _dedupe(_taken(storage, files[0], project_id=project_id, known=known, limits=limits))
        found: list[Taken] = []
        for upload in files:
            try:
                found += _taken(storage, upload, project_id=project_id, known=known, limits=limits)
            except ImageRefused as refused:
                found.append(LeftOut(Note(refused.sentence, refused.params)))
        return _dedupe(found)
    finally:
        give_back_freed()


def _dedupe(found: list[Taken]) -> list[Taken]:
    """The same picture twice in one ZIP is one picture."""
    seen: set[str] = set()
    kept: list[Taken] = []
    for one in found:
        if isinstance(one, StoredImage):
            if one.sha256 in seen:
                kept.append(KnownImage(one.filename, one.sha256, None))
                continue
            seen.add(one.sha256)
        kept.append(one)
    return kept


def _taken(storage: Storage, upload: Upload, *, project_id: str, known: frozenset[str], limits: Limits) -> list[Taken]:
    refuse_document(upload.file, upload.name, shown_name(upload.name))
    start = upload.file.read(4096)
    upload.file.seek(0)
    if start.startswith(ZIP_STARTS):
        return list(_from_archive(storage, upload, project_id=project_id, known=known, limits=limits))
    name = shown_name(upload.name)
    if upload.name.lower().endswith(".txt") and sniff(start) is None:
        if upload.size > LONGEST_CAPTION_FILE:
            raise NotACaption(name=name)
        return [CaptionFile(name, captions.decode_caption(upload.file.read()))]
    if upload.size > limits.picture.max_bytes:
        raise FileTooLarge(name=name, size_mb=-(-upload.size // MB), limit_mb=limits.picture.max_bytes // MB)
    return [_picture(storage, upload.file.read(), name, None, project_id, known, limits.picture)]


def _from_archive(
    storage: Storage, upload: Upload, *, project_id: str, known: frozenset[str], limits: Limits
) -> Iterator[Taken]:
    effort = _Effort()
    for member in _members(upload, limits.archive):
        if isinstance(member, SkippedMember):
            yield LeftOut(member.note)
            continue
        if effort.is_spent():
            yield LeftOut(Note(TOO_MUCH_AT_ONCE, {"name": member.name}))
            continue
        try:
            taken = _picture(
                *(storage, member.data, member.name, member.caption, project_id, known, limits.picture),
                wait_seconds=WAIT_WITHIN_ARCHIVE,
            )
            effort.pixels += taken.width * taken.height if isinstance(taken, StoredImage) else 0
            yield taken
        except ImageRefused as refused:
            effort.broken += isinstance(refused, UnreadableImage | SvgTooComplex)
            yield LeftOut(Note(refused.sentence, refused.params))


def _members(upload: Upload, limits: ArchiveLimits) -> Iterator[ArchiveMember | SkippedMember]:
    """The members that ``read_archive`` gives; whatever else it raises about a file means that it is no archive."""
    with otherwise(UnreadableArchive(name=shown_name(upload.name))):
        found = read_archive(upload.file, upload.name, limits)
    while True:
        with otherwise(UnreadableArchive(name=shown_name(upload.name))):
            member = next(found, None)
        if member is None:
            return
        yield member


@dataclass
class _Effort:
    """What one ZIP has cost so far."""

    begin: float = field(default_factory=time.monotonic)
    pixels: int = 0
    broken: int = 0

    def is_spent(self) -> bool:
        return (
            self.pixels > MOST_PIXELS_AT_ONCE
            or self.broken > MOST_BROKEN_AT_ONCE
            or time.monotonic() - self.begin > MOST_SECONDS_AT_ONCE
        )


def _picture(
    storage: Storage,
    data: bytes,
    name: str,
    caption: str | None,
    project_id: str,
    known: frozenset[str],
    limits: IntakeLimits,
    wait_seconds: float | None = None,
) -> StoredImage | KnownImage:
    """Look, decode, keep. Raises ``ImageRefused``."""
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return KnownImage(name, sha256, caption)
    prepared = read_picture(data, name, limits, wait_seconds=wait_seconds)
    small, large = (prepared.thumbnails[side] for side in sorted(prepared.thumbnails))
    folder = f"projects/{project_id}/images/{prepared.sha256}"
    files = {
        f"{folder}/original.{prepared.format.extension}": data,
        f"{folder}/working.webp": prepared.working,
        f"{folder}/thumb.webp": large,
        f"{folder}/small.webp": small,
    }
    for key, content in files.items():
        storage.put(key, content)
    original_key, working_key, thumb_key, small_thumb_key = files
    return StoredImage(
        filename=name,
        format=prepared.format.value,
        sha256=prepared.sha256,
        byte_count=len(data),
        width=prepared.width,
        height=prepared.height,
        working_width=prepared.working_width,
        working_height=prepared.working_height,
        original_key=original_key,
        working_key=working_key,
        thumb_key=thumb_key,
        small_thumb_key=small_thumb_key,
        placeholder=prepared.placeholder,
        dhash=prepared.dhash,
        sharpness=prepared.sharpness,
        notes=prepared.notes,
        caption=caption if caption is not None else captions.propose_caption(name, prepared.border),
    )
