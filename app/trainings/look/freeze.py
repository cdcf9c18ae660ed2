"""A brand's pictures as one training holds them, so that later edits of the brand do not change it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from app.images.crops import bucket_sizes, training_crop
from app.images.models import Image


@dataclass(frozen=True)
class FrozenPicture:
    """A picture as it was when the training was started, and the crop that training sees."""

    image_id: str
    working_key: str
    filename: str
    caption: str
    left: int
    top: int
    width: int
    height: int
    target_width: int
    target_height: int


def freeze(pictures: Sequence[Image], resolution: int, multiple: int) -> tuple[FrozenPicture, ...]:
    """``multiple``: what both sides of a training's pictures must be multiples of, in pixels."""
    sizes = bucket_sizes(resolution, multiple)
    frozen = []
    for picture in pictures:
        box = training_crop(
            picture.working_width, picture.working_height, sizes, focus=(picture.focus_x, picture.focus_y)
        )
        frozen.append(
            FrozenPicture(
                image_id=picture.id,
                working_key=picture.working_key,
                filename=picture.filename,
                caption=picture.caption,
                left=box.left,
                top=box.top,
                width=box.width,
                height=box.height,
                target_width=box.target_width,
                target_height=box.target_height,
            )
        )
    return tuple(frozen)


def from_row(pictures: Sequence[dict[str, Any]]) -> tuple[FrozenPicture, ...]:
    """As a training's row holds them."""
    names = [field.name for field in fields(FrozenPicture)]
    return tuple(FrozenPicture(**{name: picture[name] for name in names}) for picture in pictures)
