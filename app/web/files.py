"""Sends stored files: only what we made or checked, never as something a browser would run."""

from collections.abc import Iterator
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import FileResponse, StreamingResponse

from app.errors import NotFound
from app.storage import Storage

FOR_EVER = "private, max-age=31536000, immutable"


def disposition(filename: str) -> str:
    """A download name for any text, by RFC 6266: an ASCII form, and the true one percent-encoded."""
    clean = "".join(char for char in filename if char.isprintable() and char not in '/\\"').strip(". ") or "download"
    ascii_form = clean.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{ascii_form}\"; filename*=UTF-8''{quote(clean, safe='')}"


def send(
    storage: Storage, key: str, media_type: str, *, download_name: str | None = None, keep: bool = True
) -> Response:
    """The file under ``key``. With ``download_name`` it is saved, else shown. Raises ``NotFound`` if it is gone.

    ``keep`` lets the browser hold it for ever; its address must then carry a hash.
    """
    headers = {"cache-control": FOR_EVER if keep else "private, no-cache", "content-security-policy": "sandbox"}
    if download_name is not None:
        headers["content-disposition"] = disposition(download_name)
    path = storage.local_path(key)
    if path is not None:
        if not path.is_file():
            raise NotFound()
        return FileResponse(path, media_type=media_type, headers=headers)
    try:
        headers["content-length"] = str(storage.size(key))
    except FileNotFoundError as error:
        raise NotFound() from error
    chunks: Iterator[bytes] = storage.chunks(key)
    return StreamingResponse(chunks, media_type=media_type, headers=headers)
