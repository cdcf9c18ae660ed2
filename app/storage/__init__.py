"""Where files live: one interface, a local folder or an S3-compatible bucket behind it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.errors import N_, AppError
from app.settings import Settings


class StorageAway(AppError):
    """May pass: nobody answers, or only with an error of its own."""

    status = 503
    sentence = N_("The file storage is not responding at the moment. Nothing is lost; please try again shortly.")


class StorageRefuses(AppError):
    """Does not pass by itself."""

    status = 503
    sentence = N_(
        "The file storage rejects Livery's keys. Ask the person who runs this Livery to check the bucket and its keys."
    )


class Storage(Protocol):
    """Immutable files under keys such as ``projects/<id>/images/<hash>.webp``; keys are built from ids and hashes only.

    Every method raises ``StorageKeyError`` for a key that is not of that form, and ``FileNotFoundError`` where a file
    is asked for that is not there; a bucket also ``StorageAway`` or ``StorageRefuses``.
    """

    def put(self, key: str, content: bytes | Path) -> None:
        """Keep ``content`` under ``key``: whole or not at all. Putting the same key again replaces it."""

    def get(self, key: str) -> bytes:
        """The whole content."""

    def fetch(self, key: str, target: Path) -> None:
        """Copy the content to a local file."""

    def chunks(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The content from byte ``start`` up to, not including, byte ``end``, piece by piece."""

    def size(self, key: str) -> int:
        """Bytes."""

    def exists(self, key: str) -> bool: ...

    def changed_at(self, key: str) -> datetime:
        """When it was last put."""

    def is_reachable(self) -> bool:
        """Whether files can be asked for just now."""

    def delete(self, key: str) -> None:
        """Forget ``key``; nothing happens when it is not there."""

    def delete_under(self, prefix: str) -> int:
        """Forget every key under the folder ``prefix`` and say how many there were."""

    def keys_under(self, prefix: str) -> Iterator[str]: ...

    def local_path(self, key: str) -> Path | None:
        """The file itself where it is on this machine, else None."""


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name."""
    if settings.storage_url.startswith("s3://"):
        from app.storage.s3 import S3Storage

        return S3Storage(
            settings.storage_url,
            endpoint_url=settings.s3_endpoint_url,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        )
    if settings.storage_url:
        raise ValueError(f"STORAGE_URL must be empty or begin with s3://, not {settings.storage_url!r}")
    from app.storage.local import LocalStorage

    return LocalStorage(settings.data_dir / "files")
