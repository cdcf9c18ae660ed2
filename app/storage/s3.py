"""Files in an S3-compatible bucket, through obstore."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import GenericError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from app.storage import StorageAway, StorageRefuses
from app.storage.keys import checked

if TYPE_CHECKING:
    from obstore.store import RetryConfig

CHUNK_BYTES = 1 << 20
RETRIES: "RetryConfig" = {
    "max_retries": 4,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 3},
    "retry_timeout": timedelta(seconds=30),
}
"""Of one request, within the library. A job tries for longer (``worker/run_job.py``); a page should not."""


@contextmanager
def _in_our_words(key: str) -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(key) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageRefuses() from error
    except GenericError as error:
        raise StorageAway() from error


class S3Storage:
    """``address`` is ``s3://bucket/prefix``. Large files go up in parts; a bucket shows a file whole or not at all."""

    def __init__(
        self, address: str, *, endpoint_url: str, region: str, access_key_id: str, secret_access_key: str
    ) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        options: dict[str, object] = {"region": region}
        if access_key_id:
            options |= {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
        if endpoint_url:
            options |= {"endpoint": endpoint_url, "virtual_hosted_style_request": False}
        self._store = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            client_options={
                "allow_http": endpoint_url.startswith("http://"),
                "timeout": "60s",
                "connect_timeout": "5s",
            },
            retry_config=RETRIES,
            **options,  # type: ignore[arg-type]
        )

    def put(self, key: str, content: bytes | Path) -> None:
        with _in_our_words(key):
            self._store.put(checked(key), content)

    def get(self, key: str) -> bytes:
        with _in_our_words(key):
            return bytes(self._store.get(checked(key)).bytes())

    def fetch(self, key: str, target: Path) -> None:
        with target.open("wb") as file:
            for chunk in self.chunks(key):
                file.write(chunk)

    def chunks(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        with _in_our_words(key):
            if start == 0 and end is None:
                for chunk in self._store.get(checked(key)).stream(min_chunk_size=CHUNK_BYTES):
                    yield bytes(chunk)
                return
            end = self.size(key) if end is None else end
            for at in range(start, end, 8 * CHUNK_BYTES):
                yield bytes(self._store.get_range(checked(key), start=at, end=min(end, at + 8 * CHUNK_BYTES)))

    def size(self, key: str) -> int:
        with _in_our_words(key):
            return int(self._store.head(checked(key))["size"])

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def changed_at(self, key: str) -> datetime:
        with _in_our_words(key):
            return self._store.head(checked(key))["last_modified"]

    def is_reachable(self) -> bool:
        try:
            self.exists("health")
        except (StorageAway, StorageRefuses):
            return False
        return True

    def delete(self, key: str) -> None:
        try:
            with _in_our_words(key):
                self._store.delete(checked(key))
        except FileNotFoundError:
            return

    def delete_under(self, prefix: str) -> int:
        keys = list(self.keys_under(prefix))
        with _in_our_words(prefix):
            if keys:
                self._store.delete(keys)
        return len(keys)

    def keys_under(self, prefix: str) -> Iterator[str]:
        with _in_our_words(prefix):
            for batch in self._store.list(checked(prefix) + "/"):
                for item in batch:
                    yield item["path"]

    def local_path(self, key: str) -> Path | None:
        checked(key)
        return None
