"""Which part of a picture the training will see: pure arithmetic, the same for the preview and the order.

Trainers sort pictures into buckets, sizes of about the same area in several proportions, so that little has to be cut
off. A bucket's sides are multiples of a step that the model asks for, and its area is at most `resolution` squared. A
picture goes to the bucket nearest in proportion, is cut to exactly that proportion and scaled to its size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ASPECT = 2.0  # longer banners are cut: beyond 2:1 the short side gets too small to learn from


@dataclass(frozen=True)
class Box:
    """A cut of the working copy (`left`, `top`, `width`, `height` in its pixels), to be scaled to the target size."""

    left: int
    top: int
    width: int
    height: int
    target_width: int
    target_height: int


def bucket_sizes(resolution: int, step: int = 64, max_aspect: float = MAX_ASPECT) -> list[tuple[int, int]]:
    """All (width, height) buckets for a training resolution, in pixels, narrowest first.

    `step` is 64 for SDXL and its like, 16 for the built-in model at 128. Raises: ValueError if the resolution is not
    a multiple of the step.
    """
    if step <= 0 or resolution <= 0 or resolution % step:
        raise ValueError(f"resolution {resolution} is not a multiple of {step}")
    area = resolution * resolution
    sizes = {(resolution, resolution)}
    for long_side in range(resolution, int(resolution * max_aspect) + 1, step):
        short_side = area // long_side // step * step
        if short_side > 0 and long_side / short_side <= max_aspect:
            sizes |= {(long_side, short_side), (short_side, long_side)}
    return sorted(sizes, key=lambda size: (size[0] / size[1], size))


def training_crop(
    width: int,
    height: int,
    buckets: Sequence[tuple[int, int]],
    focus: tuple[float, float] | None = None,
) -> Box:
    """The largest cut in the proportion of the nearest bucket, around `focus` as far as the edges allow.

    `width` and `height` are pixels of the working copy; `focus` is (x, y), each 0 to 1 from the upper left corner,
    and the centre without it. Among buckets of the same proportion the largest wins.
    Raises: ValueError for sides under 1, no buckets, or a focus outside the picture.
    """
    if width < 1 or height < 1 or not buckets:
        raise ValueError("a picture and at least one bucket are needed")
    x, y = focus or (0.5, 0.5)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError(f"focus {focus} lies outside the picture")
    aspect = math.log(width / height)
    target_width, target_height = min(
        buckets, key=lambda size: (round(abs(math.log(size[0] / size[1]) - aspect), 9), -size[0] * size[1])
    )
    cut_width, cut_height = width, height
    if width * target_height > height * target_width:
        cut_width = max(1, round(height * target_width / target_height))
    else:
        cut_height = max(1, round(width * target_height / target_width))
    left = min(max(round(x * width - cut_width / 2), 0), width - cut_width)
    top = min(max(round(y * height - cut_height / 2), 0), height - cut_height)
    return Box(left, top, cut_width, cut_height, target_width, target_height)
