"""Many files and their table as one ZIP, written entry by entry, and the same bytes each time."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.ad_files.manifest import ManifestRow, as_csv, as_json

TABLE, PROGRAM_TABLE = "manifest.csv", "manifest.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The moment of every entry: the first that a ZIP can hold. When a pack was made is told by its table."""
UNIX = 3
READABLE = 0o100644 << 16
PACKED_KINDS = frozenset((".png", ".jpg", ".jpeg", ".webp", ".avif", ".pdf"))
"""Endings of files that hold packed data already."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class PackEntry:
    """A file of the pack. ``chunks`` is called once, when its turn comes, so that a pack never lies in memory."""

    path: str
    chunks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Pack:
    """A pack that has been written, and its rows with length and SHA-256 of their files."""

    byte_count: int
    rows: tuple[ManifestRow, ...]


def of_bytes(path: str, content: bytes) -> PackEntry:
    return PackEntry(path, lambda: (content,))


def of_file(path: str, file: Path) -> PackEntry:
    """A file of this machine, read when its turn comes."""

    def chunks() -> Iterable[bytes]:
        with file.open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk

    return PackEntry(path, chunks)


def write_pack(
    target: Path, entries: Sequence[PackEntry], rows: Sequence[ManifestRow], *, separator: str = ";"
) -> Pack:
    """Writes the ZIP, its files in the order of their paths, then the tables.

    It is written beside the target and takes its place at the end, so after a kill there is the old pack or none, and
    writing it once more is all that has to be done. The same entries and rows give the same bytes in whatever order
    they come. A row without a file tells of an ad that could not be made. Raises ``ValueError`` for a path that leads
    out of the pack or is there twice, and for a row whose file is not in it; what ``chunks`` raises goes through.
    """
    ordered = sorted(entries, key=lambda entry: entry.path)
    _check([entry.path for entry in ordered], rows)
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with unfinished.open("wb") as out:
            with ZipFile(out, "w") as archive:
                facts = {entry.path: _write(archive, entry.path, entry.chunks()) for entry in ordered}
                filled = _filled(rows, facts)
                for name, content in ((TABLE, as_csv(filled, separator=separator)), (PROGRAM_TABLE, as_json(filled))):
                    _write(archive, name, (content,))
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return Pack(target.stat().st_size, filled)


def _write(archive: ZipFile, path: str, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Length and SHA-256 of what was written."""
    entry = ZipInfo(path, EPOCH)
    entry.create_system, entry.external_attr = UNIX, READABLE
    entry.compress_type = ZIP_STORED if PurePosixPath(path).suffix in PACKED_KINDS else ZIP_DEFLATED
    byte_count, digest = 0, hashlib.sha256()
    with archive.open(entry, "w") as out:
        for chunk in chunks:
            out.write(chunk)
            digest.update(chunk)
            byte_count += len(chunk)
    return byte_count, digest.hexdigest()


def _filled(rows: Sequence[ManifestRow], facts: dict[str, tuple[int, str]]) -> tuple[ManifestRow, ...]:
    """In the order of their files; first those that have none."""
    ordered = sorted(rows, key=lambda row: (row.file, repr(row)))
    return tuple(
        replace(row, byte_count=facts[row.file][0], sha256=facts[row.file][1]) if row.file else row for row in ordered
    )


def _check(paths: Sequence[str], rows: Sequence[ManifestRow]) -> None:
    seen = {name.casefold() for name in (TABLE, PROGRAM_TABLE)}
    for path in paths:
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts) or any(one in path for one in '\\:\0\n\r*?"<>|'):
            raise ValueError(f"{path!r} is no path within a pack")
        if path.casefold() in seen:
            raise ValueError(f"{path!r} is there twice")
        seen.add(path.casefold())
    if missing := {row.file for row in rows if row.file} - set(paths):
        raise ValueError(f"rows without a file: {sorted(missing)[:3]}")
