"""Pictures that others start from, and the masks that keep a part of them: from any source to files in the storage.

Slow work on pixels is done here, before a transaction; what comes back are plain facts.
"""

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass

import pyvips
from PIL import Image as Pixels
from PIL import ImageChops, UnidentifiedImageError

from app.generations.errors import BadMask, MaskKeepsAll
from app.images.intake import IntakeLimits, inspect, prepare
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
    """Take in a picture of any accepted format. Raises the errors of ``images.intake``."""
    prepared = prepare(inspect(content, name, limits))
    return _keep(storage, prepared.working, project_id)


def keep_copy(storage: Storage, key: str, *, project_id: str) -> KeptPicture:
    """Take in a picture that Livery made or checked before. Raises ``FileNotFoundError``."""
    return _keep(storage, storage.get(key), project_id)


def _keep(storage: Storage, content: bytes, project_id: str) -> KeptPicture:
    picture = pyvips.Image.new_from_buffer(content, "")
    if max(picture.width, picture.height) > LARGEST_SIDE:
        picture = picture.thumbnail_image(LARGEST_SIDE, height=LARGEST_SIDE, size="down")
    png: bytes = picture.pngsave_buffer(compression=6, keep="none")
    return KeptPicture(*_put(storage, png, project_id), picture.width, picture.height)


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
    painted = _rectangle(mask, size) if isinstance(mask, Rectangle) else _painted(mask, size)
    if keeps_painted:
        painted = ImageChops.invert(painted)
    if not painted.getbbox():
        raise MaskKeepsAll()
    content = io.BytesIO()
    painted.save(content, "PNG", optimize=True)
    return KeptMask(*_put(storage, content.getvalue(), project_id))


def _rectangle(given: Rectangle, size: tuple[int, int]) -> Pixels.Image:
    width, height = size
    left, top = round(width * given.left / 100), round(height * given.top / 100)
    right, bottom = round(width * (given.left + given.width) / 100), round(height * (given.top + given.height) / 100)
    painted = Pixels.new("L", size, 0)
    painted.paste(255, (left, top, min(right, width), min(bottom, height)))
    return painted


def _painted(text: str, size: tuple[int, int]) -> Pixels.Image:
    if len(text) > LONGEST_MASK:
        raise BadMask()
    try:
        content = base64.b64decode(text.removeprefix(DATA_ADDRESS), validate=True)
        with Pixels.open(io.BytesIO(content), formats=("PNG",)) as opened:
            if opened.width * opened.height > MOST_MASK_PIXELS:
                raise BadMask()
            opened.load()
            if "A" in opened.getbands() or "transparency" in opened.info:
                painted = opened.convert("RGBA").getchannel("A")
            else:
                painted = opened.convert("L")
    except (binascii.Error, ValueError, OSError, SyntaxError, UnidentifiedImageError) as error:
        raise BadMask() from error
    return painted.resize(size, Pixels.Resampling.BILINEAR)
