"""Which pictures of a set are nearly the same, which one is of another style, and how varied the set is. Arithmetic on
what a worker has measured; no picture is read here."""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.images.diagnosis.measures import GRID, PictureMeasures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

TWIN_LIKENESS = 0.92
"""Correlation of the rasters, over turned round and slightly cropped versions; chosen on drawn shapes."""
ODD_DISTANCE = 8.0
"""Deviations from the set's middle, mean over the four most unusual measures; chosen on drawn shapes."""
LEAST_FOR_ODD = 8
"""Pictures: among fewer there is no usual."""
LEAST_SPREAD = (0.4, 1.0, 0.012, 0.1, 0.05, 0.5, 0.5, 4.0, 3.0, 3.0, 3.0)
"""Of each measure of style: less is no difference that anybody sees."""


def rasters(measures: Sequence[PictureMeasures]) -> "Array":
    """(pictures, 16, 16, 3) in L*a*b*."""
    import numpy as np

    raw = b"".join(base64.b64decode(one.raster) for one in measures)
    return np.frombuffer(raw, np.int8).reshape(len(measures), GRID, GRID, 3).astype(np.float32)


def likeness(seen: "Array") -> "Array":
    """(pictures, pictures), -1..1: the best correlation of any two, one of them also mirrored or cut a little."""
    import numpy as np

    def flat(of: "Array") -> "Array":
        rows = of.reshape(len(of), -1, 3)
        rows = (rows - rows.mean(1, keepdims=True)).reshape(len(of), -1)
        length: Array = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.maximum(length, 1e-3)

    plain = flat(seen)
    best = np.full((len(seen), len(seen)), -1.0, np.float32)
    for cut in (0.0, 0.04, 0.08):
        for side in (-1, 0, 1) if cut else (0,):
            changed = flat(_cut(seen, cut, side))
            for one in (changed, flat(_cut(seen, cut, side)[:, :, ::-1])):
                np.maximum(best, one @ plain.T, out=best)
    return np.maximum(best, best.T)


def _cut(seen: "Array", cut: float, side: int) -> "Array":
    """The middle of each picture, or its upper left or lower right, without ``cut`` of each edge."""
    import numpy as np

    start = cut * GRID * (1 + side)
    places = start + (np.arange(GRID) + 0.5) * (1 - 2 * cut) - 0.5
    low = np.clip(np.floor(places).astype(int), 0, GRID - 1)
    high = np.clip(low + 1, 0, GRID - 1)
    part = np.clip(places - low, 0, 1).astype(np.float32)
    rows = seen[:, low] * (1 - part)[None, :, None, None] + seen[:, high] * part[None, :, None, None]
    return rows[:, :, low] * (1 - part)[None, None, :, None] + rows[:, :, high] * part[None, None, :, None]


def oddness(measures: Sequence[PictureMeasures]) -> "Array":
    """(pictures,): how unusual each one's style is in this set; zeros where there are too few to tell."""
    import numpy as np

    if len(measures) < LEAST_FOR_ODD:
        return np.zeros(len(measures), np.float32)
    style = np.array([one.style for one in measures], np.float64)
    middle = np.median(style, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(style - middle), axis=0), LEAST_SPREAD)
    apart = np.sort(np.minimum(np.abs(style - middle) / spread, 20.0), axis=1)[:, -4:]
    return apart.mean(1).astype(np.float32)
