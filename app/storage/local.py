"""Files in a folder of this machine."""

import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from app.storage.keys import checked

CHUNK_BYTES = 1 << 20


class LocalStorage:
    """Written aside, flushed to the disk and renamed, so that a reader sees a whole file or none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._aside = self.folder / ".aside"
        self._aside.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / checked(key)

    def put(self, key: str, content: bytes | Path) -> None:
        target = self._path(key)
        aside = self._aside / secrets.token_hex(16)
        try:
            with aside.open("xb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file, CHUNK_BYTES)
                file.flush()
                os.fsync(file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        return self._path(key).read_bytes()

    def fetch(self, key: str, target: Path) -> None:
        shutil.copyfile(self._path(key), target)

    def chunks(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        with self._path(key).open("rb") as file:
            file.seek(start)
            left = None if end is None else end - start
            while chunk := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
                yield chunk
                if left is not None:
                    left -= len(chunk)

    def size(self, key: str) -> int:
        return self._path(key).stat().st_size

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def changed_at(self, key: str) -> datetime:
        return datetime.fromtimestamp(self._path(key).stat().st_mtime, UTC)

    def is_reachable(self) -> bool:
        return self._aside.is_dir() and os.access(self._aside, os.W_OK)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def delete_under(self, prefix: str) -> int:
        folder = self._path(prefix)
        count = sum(1 for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder, ignore_errors=True)
        return count

    def keys_under(self, prefix: str) -> Iterator[str]:
        for path in sorted(self._path(prefix).rglob("*")):
            if path.is_file():
                yield path.relative_to(self.folder).as_posix()

    def local_path(self, key: str) -> Path | None:
        return self._path(key)
