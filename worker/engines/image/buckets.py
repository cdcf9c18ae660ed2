"""The sizes that training pictures are scaled to. Plain arithmetic, no model library."""

import math

SMALLEST_SHARE = 0.75
"""A size uses at least this share of the area, even if a smaller one had the picture's shape more exactly."""


def target_size(width: int, height: int, resolution: int, multiple: int, max_ratio: float = 2.0) -> tuple[int, int]:
    """Width and height in pixels for a picture of ``width`` × ``height``.

    Both are multiples of ``multiple``, their product is at most ``resolution``² (one multiple × multiple at least), and
    the ratio follows the picture's up to ``max_ratio``. Pictures of like shape share a size, and a batch holds one size
    only (the aspect buckets of NovelAI, 2022).
    """
    cells = max(resolution * resolution // (multiple * multiple), 1)
    ratio = min(max(width / height, 1 / max_ratio), max_ratio)
    candidates = [
        (columns * multiple, rows * multiple)
        for columns in range(1, cells + 1)
        for rows in range(1, cells // columns + 1)
        if columns * rows >= SMALLEST_SHARE * cells and 1 / max_ratio <= columns / rows <= max_ratio
    ]
    if not candidates:
        side = max(resolution // multiple, 1) * multiple
        return side, side
    # Nearest shape first; of two equally near the larger one.
    return min(candidates, key=lambda size: (round(abs(math.log(size[0] / size[1] / ratio)), 9), -size[0] * size[1]))


def centre_crop(width: int, height: int, target_width: int, target_height: int) -> tuple[int, int, int, int]:
    """Largest centred box of the target's shape as left, top, width, height in pixels of the picture."""
    scale = min(width / target_width, height / target_height)
    crop_width, crop_height = min(width, round(target_width * scale)), min(height, round(target_height * scale))
    return (width - crop_width) // 2, (height - crop_height) // 2, crop_width, crop_height
