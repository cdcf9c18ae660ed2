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

CUTS, ASIDE = tuple(step / 100 for step in range(9)), (0.03, 0.06)
"""Shares that a twin may be cut at each edge, and those tried off the middle too."""
TWIN_LIKENESS = 0.87
"""Correlation of the rasters, over turned round and slightly cropped versions; chosen on drawn shapes."""
ODD_DISTANCE = 7.0
"""As a multiple of what is usual in the set; chosen on drawn shapes."""
NEIGHBOUR, MOST_APART, LEAST_USUAL = 3, 20.0, 0.5
LEAST_FOR_ODD = 8
"""Pictures: among fewer there is no usual."""
LEAST_SPREAD = (0.4, 1.0, 0.012, 0.1, 0.05, 0.5, 0.5, 4.0, 3.0, 3.0, 3.0, 0.5)
"""Of each measure of style: less is no difference that anybody sees."""


def rasters(measures: Sequence[PictureMeasures]) -> "Array":
    """(pictures, 24, 24, 3) in L*a*b*."""
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
        unit: Array = rows / np.maximum(length, 1e-3)
        return unit

    plain = flat(seen)
    best = np.full((len(seen), len(seen)), -1.0, np.float32)
    for cut in CUTS:
        for side in (-1, 0, 1) if cut in ASIDE else (0,):
            changed = flat(_cut(seen, cut, side))
            for one in (changed, flat(_cut(seen, cut, side)[:, :, ::-1])):
                np.maximum(best, one @ plain.T, out=best)
    both: Array = np.maximum(best, best.T)
    return both


def _cut(seen: "Array", cut: float, side: int) -> "Array":
    """The middle of each picture, or its upper left or lower right, without ``cut`` of each edge."""
    import numpy as np

    start = cut * GRID * (1 + side)
    places = start + (np.arange(GRID) + 0.5) * (1 - 2 * cut) - 0.5
    low = np.clip(np.floor(places).astype(int), 0, GRID - 1)
    high = np.clip(low + 1, 0, GRID - 1)
    part = np.clip(places - low, 0, 1).astype(np.float32)
    rows = seen[:, low] * (1 - part)[None, :, None, None] + seen[:, high] * part[None, :, None, None]
    cut_out: Array = rows[:, :, low] * (1 - part)[None, None, :, None] + rows[:, :, high] * part[None, None, :, None]
    return cut_out


def oddness(measures: Sequence[PictureMeasures]) -> "Array":
    """(pictures,): how far each one's style is from the nearest others, as a multiple of what is usual in it; zeros
    where there are too few to tell.

    The distance to the third nearest neighbour (Ramaswamy, Rastogi and Shim 2000, "Efficient algorithms for mining
    outliers from large data sets"), in measures divided by their deviation: a varied style is wide, yet nobody in it is
    alone.
    """
    import numpy as np

    if len(measures) < LEAST_FOR_ODD:
        return np.zeros(len(measures), np.float32)
    style = np.array([one.style for one in measures], np.float64)
    spread = np.maximum(1.4826 * np.median(np.abs(style - np.median(style, axis=0)), axis=0), LEAST_SPREAD)
    scaled = style / spread
    apart = np.sqrt((np.minimum(np.abs(scaled[:, None] - scaled[None]), MOST_APART) ** 2).mean(2))
    near: Array = np.sort(apart, axis=1)[:, NEIGHBOUR].astype(np.float32)
    usual: Array = near / np.maximum(np.median(near), LEAST_USUAL)
    return usual
