"""A brand's colours, suggested from its pictures, and plain names for colours.

Differences are CIEDE2000 (ΔE): about 1 is the least that an eye sees, 10 is clearly another colour.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from app.errors import N_

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from coloraide import Color

SAMPLE_SIDE = 128  # pixels; enough for shares of area
BIN_BITS = 4  # per channel: 16 levels, small enough that a bin is one colour to the eye
MAX_BINS = 256  # heaviest bins that are compared; what comes after them is noise
MERGE_DISTANCE = 10.0  # ΔE; shades of one brand colour (light, shadow) fall within it
WHITE_DISTANCE = 4.0  # ΔE; paper white and the artefacts of lossy compression around it
LEAST_SHARE = 0.005  # of all pixels; less is the edge between two colours
ACCENT_BONUS = 1 / 25  # per unit of chroma: a small vivid logo outweighs a large grey wall

# Plain names that a marketer would say, each with a typical shade.
COLOUR_NAMES = {
    N_("black"): "#000000",
    N_("dark grey"): "#404040",
    N_("grey"): "#808080",
    N_("light grey"): "#d0d0d0",
    N_("white"): "#ffffff",
    N_("cream"): "#fff6dc",
    N_("beige"): "#e3d2b0",
    N_("brown"): "#7b4a23",
    N_("dark brown"): "#3f2412",
    N_("dark red"): "#8b0f14",
    N_("red"): "#d81e28",
    N_("coral"): "#ff7659",
    N_("orange"): "#f58216",
    N_("gold"): "#d4a526",
    N_("yellow"): "#ffe11a",
    N_("olive"): "#7a7a1e",
    N_("lime green"): "#a4d928",
    N_("light green"): "#a5dba0",
    N_("green"): "#2e9e3f",
    N_("dark green"): "#0f4a26",
    N_("mint"): "#b5ecd3",
    N_("turquoise"): "#2fc6c0",
    N_("teal"): "#0b6e74",
    N_("light blue"): "#a9d3f0",
    N_("sky blue"): "#3fa9e8",
    N_("blue"): "#1f58c7",
    N_("navy"): "#12244f",
    N_("purple"): "#6b2c91",
    N_("lavender"): "#c3b1e6",
    N_("magenta"): "#d6157f",
    N_("pink"): "#f7aec3",
}


@dataclass(frozen=True)
class PaletteColour:
    """One suggested colour: `#rrggbb`, its share of all pictures (0 to 1), and its plain name as an English msgid."""

    hex: str
    weight: float
    name: str


def suggest_palette(pictures: Iterable[bytes], size: int = 6) -> list[PaletteColour]:
    """At most `size` colours, the heaviest first. `pictures` are derived files (thumbnails do).

    Each picture counts the same, whatever its size. Plain white is left out if there is any other colour, as it is
    nearly always the background. Vivid colours are preferred over dull ones when it comes to which are suggested.
    """
    clusters = _merged(_heaviest_bins(pictures))
    if not clusters:
        return []
    white = _colours()("white")
    coloured = [c for c in clusters if c[0].delta_e(white, method="2000") > WHITE_DISTANCE]
    chosen = sorted(coloured or clusters, key=lambda c: c[1] * (1 + c[0].convert("lch")["chroma"] * ACCENT_BONUS))
    chosen = sorted(chosen[-size:], key=lambda c: -c[1])
    hexes = [(colour.to_string(hex=True), weight) for colour, weight in chosen]
    return [PaletteColour(hex=h, weight=round(weight, 4), name=colour_name(h)) for h, weight in hexes]


@lru_cache(maxsize=512)
def colour_name(hex_colour: str) -> str:
    """The plain name nearest to `#rrggbb`, as an English msgid."""
    of = _colours()
    colour = of(hex_colour)
    return min(COLOUR_NAMES, key=lambda name: float(colour.delta_e(of(COLOUR_NAMES[name]), method="2000")))


def read_pixels(picture: bytes) -> "npt.NDArray[np.uint8]":
    """Height × width × RGB of a file that Livery made itself; never of an upload."""
    import numpy as np
    from PIL import Image  # only readers decode pictures

    with Image.open(io.BytesIO(picture), formats=["WEBP", "PNG", "JPEG"]) as image:
        return np.asarray(image.convert("RGB"))


@cache
def _colours() -> "type[Color]":
    # Imported where a colour is compared: the library works out tables of its own, a tenth of the time to start.
    from coloraide import Color

    return Color


def _heaviest_bins(pictures: Iterable[bytes]) -> list[tuple["Color", float]]:
    """Mean colour and share of the fullest cells of an RGB grid, over all pictures."""
    import numpy as np

    levels = 1 << BIN_BITS
    weights = np.zeros(levels**3)
    sums = np.zeros((levels**3, 3))
    count = 0
    for picture in pictures:
        pixels = read_pixels(picture)
        step = max(1, max(pixels.shape[:2]) // SAMPLE_SIDE)  # every n-th pixel: averaging would invent colours
        flat = pixels[::step, ::step].reshape(-1, 3)
        cells = (flat >> (8 - BIN_BITS)).astype(np.int64) @ np.array([levels * levels, levels, 1])
        weights += np.bincount(cells, minlength=levels**3) / len(flat)
        for channel in range(3):
            sums[:, channel] += np.bincount(cells, flat[:, channel], minlength=levels**3) / len(flat)
        count += 1
    if not count:
        return []
    fullest = np.argsort(-weights, kind="stable")[:MAX_BINS]
    return [
        (_colours()("srgb", list(sums[cell] / weights[cell] / 255)), float(weights[cell] / count))
        for cell in fullest
        if weights[cell] > 0
    ]


def _merged(bins: list[tuple["Color", float]]) -> list[tuple["Color", float]]:
    """Heaviest first: a bin joins the first cluster near it, which keeps its colour, so brand colours stay exact."""
    clusters: list[tuple[Color, float]] = []
    for colour, weight in bins:
        for index, (centre, sum_so_far) in enumerate(clusters):
            if colour.delta_e(centre, method="2000") <= MERGE_DISTANCE:
                clusters[index] = (centre, sum_so_far + weight)
                break
        else:
            clusters.append((colour, weight))
    large_enough = [cluster for cluster in clusters if cluster[1] >= LEAST_SHARE]
    return large_enough or clusters
