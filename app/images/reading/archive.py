"""Reading a ZIP of pictures without trusting it.

Nothing is extracted: members are read one by one into memory, and their names are only shown. Every size is counted
while reading, as the sizes that an archive states may be false.

What concerns the whole archive refuses all of it (password, too many entries, too large in sum, not a ZIP). What
concerns one member refuses that one with a sentence, and the others go on: a team that packs 200 pictures should not
lose 199 for one.
"""

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from app.errors import N_
from app.images.captions import decode_caption, pairing_key
from app.images.errors import ArchiveTooLarge, EncryptedArchive, TooManyEntries, UnreadableArchive
from app.images.reading.names import shown_name
from app.images.reading.notes import Note
from app.reading import zips

MB = 1024 * 1024
CHUNK = 256 * 1024  # bytes per read
MAX_CAPTION_BYTES = 64 * 1024
RATIO_FREE_BYTES = MB  # tiny files may shrink a lot and cannot hurt
UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 0x1

UNSAFE_NAME = N_("“%(name)s” was skipped: its name in the ZIP points outside the ZIP.")
LINK = N_("“%(name)s” was skipped: it is only a link to another file. Please add the picture itself.")
NESTED = N_("“%(name)s” was skipped: it is an archive inside the ZIP. Please upload it separately.")
MEMBER_TOO_LARGE = N_("“%(name)s” was skipped: it is larger than %(limit_mb)s MB. Please export a smaller version.")
SUSPICIOUS = N_(
    "“%(name)s” was skipped: it unpacks to more than %(ratio)s times its size, which does not happen with pictures."
)
DAMAGED = N_("“%(name)s” was skipped: it is damaged inside the ZIP. Please create the ZIP again.")
UNUSUAL = N_(
    "“%(name)s” was skipped: it is compressed in an unusual way (BZIP2 or LZMA). Please create the ZIP again "
    "in the usual way (Deflate)."
)
LONE_CAPTION = N_("“%(name)s” was skipped: there is no picture with the same name next to it.")


@dataclass(frozen=True)
class ArchiveLimits:
    """What is read from one archive."""

    max_entries: int = 2000
    max_ratio: int = 100  # unpacked / packed, per member
    max_total_bytes: int = 2048 * MB  # unpacked, all members
    max_member_bytes: int = 50 * MB  # unpacked


@dataclass(frozen=True)
class ArchiveMember:
    """One file to hand to `intake.inspect`; whether it is a picture is decided there. `caption` from its `.txt`."""

    name: str
    data: bytes = field(repr=False)
    caption: str | None


@dataclass(frozen=True)
class SkippedMember:
    """One file that was left out, and the sentence that says why."""

    name: str
    note: Note


def read_archive(
    source: Path | BinaryIO, filename: str, limits: ArchiveLimits | None = None
) -> Iterator[ArchiveMember | SkippedMember]:
    """The members of a ZIP in its own order, one in memory at a time. `source` is a path or a seekable binary file.

    Folders, dot-files and what macOS adds are passed over silently. The directory is checked before this returns;
    the total is counted on while iterating.

    Raises: UnreadableArchive, EncryptedArchive, TooManyEntries, ArchiveTooLarge (also while iterating, if the archive
    states false sizes: members that came before are sound).
    """
    limits = limits or ArchiveLimits()
    name = shown_name(filename)
    if isinstance(source, Path):
        with source.open("rb") as file:
            _check_directory_size(file, name, limits)
    else:
        _check_directory_size(source, name, limits)
    try:
        archive = zipfile.ZipFile(source)
    except zips.READ_ERRORS as error:
        raise UnreadableArchive(name=name) from error
    members = [info for info in archive.infolist() if not info.is_dir()]
    try:
        if len(archive.infolist()) > limits.max_entries:
            raise TooManyEntries(name=name, count=len(archive.infolist()), limit=limits.max_entries)
        if any(info.flag_bits & ENCRYPTED_FLAG for info in members):
            raise EncryptedArchive(name=name)
        if sum(info.file_size for info in members) > limits.max_total_bytes:
            raise ArchiveTooLarge(name=name, limit_mb=limits.max_total_bytes // MB)
    except Exception:
        archive.close()
        raise
    return _read_members(archive, members, name, limits)


def _check_directory_size(file: BinaryIO, name: str, limits: ArchiveLimits) -> None:
    """Refuse a huge directory before `zipfile` loads it."""
    told = zips.directory_of(file)
    if told is None:
        raise UnreadableArchive(name=name)
    count, directory_bytes = told
    if count > limits.max_entries or directory_bytes > limits.max_entries * zips.BYTES_PER_ENTRY:
        count = max(count, directory_bytes // zips.BYTES_PER_ENTRY)
        raise TooManyEntries(name=name, count=count, limit=limits.max_entries)


def _read_members(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str, limits: ArchiveLimits
) -> Iterator[ArchiveMember | SkippedMember]:
    reader = _Reader(archive, name, limits)
    with closing(archive):
        visible = [(info, _path_of(info)) for info in members]
        visible = [(info, path) for info, path in visible if not _is_hidden(path)]
        captions = {pairing_key(path): info for info, path in visible if path.lower().endswith(".txt")}
        pictures = {pairing_key(path) for _, path in visible if not path.lower().endswith(".txt")}
        for info, path in visible:
            shown = shown_name(path)
            if path.lower().endswith(".txt"):
                if pairing_key(path) not in pictures:
                    yield SkippedMember(shown, Note(LONE_CAPTION, {"name": shown}))
                continue
            refusal = _refusal_by_name(info, path)
            if refusal is not None:
                yield SkippedMember(shown, Note(refusal, {"name": shown}))
                continue
            content = reader.read(info, shown, limits.max_member_bytes)
            if isinstance(content, Note):
                yield SkippedMember(shown, content)
            elif content.startswith(b"PK\x03\x04"):
                yield SkippedMember(shown, Note(NESTED, {"name": shown}))
            else:
                beside = captions.get(pairing_key(path))
                text = reader.read(beside, shown, MAX_CAPTION_BYTES) if beside is not None else None
                yield ArchiveMember(shown, content, decode_caption(text) if isinstance(text, bytes) else None)


class _Reader:
    """Reads members and counts what really comes out, over all of them."""

    def __init__(self, archive: zipfile.ZipFile, name: str, limits: ArchiveLimits) -> None:
        self.archive = archive
        self.name = name
        self.limits = limits
        self.total = 0

    def read(self, info: zipfile.ZipInfo, shown: str, max_bytes: int) -> bytes | Note:
        """The content, or why it is left out. Raises: ArchiveTooLarge."""
        limits = self.limits
        if not zips.is_unpacked_in_steps(info):
            return Note(UNUSUAL, {"name": shown})
        content = io.BytesIO()  # hands out what it holds without a copy
        try:
            with self.archive.open(info) as member:
                while chunk := member.read(CHUNK):
                    content.write(chunk)
                    self.total += len(chunk)
                    if self.total > limits.max_total_bytes:
                        raise ArchiveTooLarge(name=self.name, limit_mb=limits.max_total_bytes // MB)
                    if content.tell() > max(RATIO_FREE_BYTES, limits.max_ratio * info.compress_size):
                        return Note(SUSPICIOUS, {"name": shown, "ratio": limits.max_ratio})
                    if content.tell() > max_bytes:
                        return Note(MEMBER_TOO_LARGE, {"name": shown, "limit_mb": max_bytes // MB})
        except zips.READ_ERRORS:
            return Note(DAMAGED, {"name": shown})
        return content.getvalue()


def _path_of(info: zipfile.ZipInfo) -> str:
    """The name as its author saw it: macOS writes UTF-8 without saying so, and `zipfile` then reads it as CP437."""
    if info.flag_bits & UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _is_hidden(path: str) -> bool:
    """Files that systems add by themselves: `__MACOSX`, `.DS_Store`, `._photo.jpg`, `Thumbs.db`."""
    parts = path.replace("\\", "/").split("/")
    if any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in parts):
        return True
    return parts[-1].lower() in ("thumbs.db", "desktop.ini")


def _refusal_by_name(info: zipfile.ZipInfo, path: str) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return LINK
    slashed = path.replace("\\", "/")
    # None of these could do harm here, as no name is ever used as a path. But whoever writes them is up to something.
    if slashed.startswith("/") or re.match(r"^[A-Za-z]:", slashed) or ".." in slashed.split("/"):
        return UNSAFE_NAME
    if slashed.lower().endswith((".zip", ".rar", ".7z", ".tar", ".gz", ".tgz")):
        return NESTED
    return None
