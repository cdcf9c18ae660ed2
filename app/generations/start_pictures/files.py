"""Pictures that others start from, and the masks that keep a part of them: from any source to files in the storage.

Slow work on pixels is done here, before a transaction; what comes back are plain facts.
"""

import base64
import binascii
import hashlib
from dataclasses import asdict, dataclass

from app.generations.errors import BadMask
from app.images.reading.prepared import IntakeLimits
from app.images.reading.readers import read_picture
from app.reading import pool
from app.reading.errors import Unreadable
from app.storage import Storage

LARGEST_SIDE = 2048
"""Pixels; what recipes accept for a side."""
LONGEST_MASK = 4_000_000
"""Characters of a mask as text: a painted one of the largest size takes a few ten thousand."""
MOST_MASK_PIXELS = 4096 * 4096
DATA_ADDRESS = "data:image/png;base64,"


@dataclass(frozen=True)
class KeptPicture:
    """A start picture that is in the storage: a PNG without metadata."""

    key: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Rectangle:
    """A part of a picture in percent of its sides."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class KeptMask:
    key: str
    sha256: str


def keep_upload(
    storage: Storage, content: bytes, name: str, *, project_id: str, limits: IntakeLimits | None = None
) -> KeptPicture:
    """Take in a picture of any accepted format. Raises the errors of ``images.reading.read_picture``."""
    return _keep(storage, read_picture(content, name, limits).working, project_id)


def keep_copy(storage: Storage, key: str, *, project_id: str) -> KeptPicture:
    """Take in a picture that Livery made or checked before. Raises ``FileNotFoundError``."""
    return _keep(storage, storage.get(key), project_id)


def _keep(storage: Storage, content: bytes, project_id: str) -> KeptPicture:
    answer = pool.ask("start_picture", {"side": LARGEST_SIDE}, [content], name="PNG")
    return KeptPicture(*_put(storage, answer.blobs[0], project_id), answer.value["width"], answer.value["height"])


def _put(storage: Storage, png: bytes, project_id: str) -> tuple[str, str]:
    sha256 = hashlib.sha256(png).hexdigest()
    key = f"projects/{project_id}/starts/{sha256}.png"
    storage.put(key, png)
    return key, sha256


def keep_mask(
    storage: Storage, mask: str | Rectangle, size: tuple[int, int], *, project_id: str, keeps_painted: bool = False
) -> KeptMask:
    """Keep a mask of the start picture's ``size`` (width, height): white is drawn anew.

    ``mask`` is a PNG as text (base64, with or without ``data:`` in front) whose white or opaque parts are painted, or a
    rectangle that counts as painted. With ``keeps_painted`` the painted part stays and all else is drawn anew. Raises
    ``BadMask``, and ``MaskKeepsAll`` for one that leaves nothing to draw.
    """
    question = {"size": size, "keeps_painted": keeps_painted, "most_pixels": MOST_MASK_PIXELS}
    if isinstance(mask, Rectangle):
        answer = pool.ask("mask", question | {"rectangle": asdict(mask)})
    else:
        try:
            answer = pool.ask("mask", question, [_bytes_of(mask)])
        except Unreadable as error:
            raise BadMask() from error
    return KeptMask(*_put(storage, answer.blobs[0], project_id))


def _bytes_of(text: str) -> bytes:
    if len(text) > LONGEST_MASK:
        raise BadMask()
    try:
        return base64.b64decode(text.removeprefix(DATA_ADDRESS), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadMask() from error
