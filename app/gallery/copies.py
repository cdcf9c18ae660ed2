"""Copies of a picture in other formats, and many pictures as one ZIP, made while they are sent."""

import json
from collections.abc import Iterable
from typing import Any, Literal
from zipfile import ZIP_STORED

from zipstream import ZipStream

from app.gallery.names import all_different, file_name
from app.gallery.queries import OutputView
from app.reading import pool
from app.storage import Storage

CopyFormat = Literal["png", "webp", "jpeg"]
MANIFEST = "manifest.json"
"""Of a ZIP: which file is which picture, and who approved or rejected it."""
MEDIA_TYPES: dict[str, str] = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
ENDINGS: dict[str, str] = {"png": "png", "webp": "webp", "jpeg": "jpg"}


def copy_name(view: OutputView, kind: CopyFormat = "png") -> str:
    """The name under which this picture leaves the house."""
    return file_name(brand=view.brand.name, prompt=view.output.prompt, seed=view.output.seed, ending=ENDINGS[kind])


def smaller_copy(png: bytes, kind: Literal["webp", "jpeg"], xmp: str) -> bytes:
    """The picture as WebP or JPEG. ``xmp`` goes with it, so that it still says that a model made it.

    Raises ``ReadersBusy``.
    """
    return pool.ask("smaller_copy", {"kind": kind, "xmp": xmp}, [png], name=f"{kind}.{ENDINGS[kind]}").blobs[0]


def archive(storage: Storage, views: Iterable[OutputView]) -> ZipStream:
    """A ZIP of these pictures, none of it in memory, and of what was said of them. Its length is known before the first
    byte."""
    chosen = list(views)
    packed = ZipStream(compress_type=ZIP_STORED, sized=True)
    named = list(zip(chosen, all_different(copy_name(view) for view in chosen), strict=True))
    for view, name in named:
        packed.add(storage.chunks(view.output.key), name, size=view.output.byte_count)
    packed.add(json.dumps({"pictures": [_told(*one) for one in named]}, ensure_ascii=False, indent=1), MANIFEST)
    return packed


def _told(view: OutputView, name: str) -> dict[str, Any]:
    """What the manifest says of a picture."""
    output, verdict = view.output, view.verdict
    return {
        "file": name,
        "id": output.id,
        "brand": view.brand.name,
        "prompt": output.prompt,
        "sha256": output.sha256,
        "review": output.review,
        "verdict": verdict
        and {"state": verdict.state, "by": verdict.by, "at": verdict.at.isoformat(), "reason": verdict.reason},
    }
