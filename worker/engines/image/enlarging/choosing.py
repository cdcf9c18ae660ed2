"""Which network suits a picture: drawn ones have flat grounds of few colours between their edges, photographs grain and
shades."""

from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

Kind = Literal["drawn", "photograph"]
EQUAL, EDGE = 2, 24
"""Levels, of 255, by which neighbours of a flat ground differ at most, and those across an edge at least."""
AROUND_EDGE = 7
"""Pixels of a square around an edge, in which nothing is looked at: softness there says nothing of a ground."""
LEAST_FLAT = 0.8
"""Of what lies between the edges."""
MOST_COLOURS, OF_PIXELS = 8, 0.9
"""Colours, in steps of 16 levels, that make up this share of a drawn picture's grounds."""
LOOKED_AT = 1024
"""Pixels of a side: from the middle of larger pictures, as they are, as grain is gone from smaller ones."""


def kind_of(picture: Image.Image) -> Kind:
    """Only a picture that is clearly drawn counts as such: the other network bears drawings too, and takes longer."""
    left, top = (max(0, (side - LOOKED_AT) // 2) for side in picture.size)
    part = picture.crop((left, top, min(picture.width, left + LOOKED_AT), min(picture.height, top + LOOKED_AT)))
    pixels = np.asarray(part.convert("RGB")).astype(np.int16)
    if min(part.size) < 2:
        return "drawn"
    across = np.abs(np.diff(pixels, axis=1)).max(2)[:-1]
    down = np.abs(np.diff(pixels, axis=0)).max(2)[:, :-1]
    steps = np.maximum(across, down)
    edges = Image.fromarray(((steps >= EDGE) * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(AROUND_EDGE))
    between = np.asarray(edges) == 0
    if not between.any():
        return "photograph"
    is_flat = (steps[between] <= EQUAL).mean() >= LEAST_FLAT
    return "drawn" if is_flat and _colours(pixels[:-1, :-1][between]) <= MOST_COLOURS else "photograph"


def _colours(pixels: np.ndarray) -> int:
    """How many colours make up ``OF_PIXELS`` of (count, 3)."""
    red, green, blue = (pixels[:, channel] >> 4 for channel in range(3))
    counts = np.sort(np.bincount((red << 8) | (green << 4) | blue))[::-1]
    return int((counts.cumsum() < OF_PIXELS * counts.sum()).sum()) + 1
