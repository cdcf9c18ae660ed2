"""What an ad is checked for once it is set: contrast on its pixels, safe zones, overlaps, the logo's clear space."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.layouts import palette
from app.layouts.palette import LEAST_CONTRAST
from app.layouts.typesetting import Element
from app.layouts.values import Canvas, Finding, Rectangle

VEILS = (0.0, 0.3, 0.45, 0.55, 0.65, 0.72, 0.8, 0.86, 0.91, 0.95, 0.98, 1.0)
"""Strengths that the veil over a picture may have."""
LEAST_LOGO_CONTRAST = 2.0
_AIM = LEAST_CONTRAST + 0.05
_WORST = 600
_BOUNDARY = 0.51
"""Sizes of type are searched for in steps; pixels are whole."""


def pixels_of(box: Rectangle, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the pixels whose middle lies in a box, within an image of this size.

    A pixel of which a box covers a sliver belongs to what is beside it, such as the edge of a button below.
    """
    left, right = (min(size[0], max(0, round(at))) for at in (box.x, box.x + box.width))
    top, bottom = (min(size[1], max(0, round(at))) for at in (box.y, box.y + box.height))
    return left, top, right, bottom


def least_contrast(element: Element, ground: Image.Image) -> float:
    """The lowest contrast of the text's colour with any pixel behind its box."""
    behind = np.asarray(ground.crop(pixels_of(element.box, ground.size)).convert("RGB"))
    return float(palette.contrasts(element.colour, behind).min()) if behind.size else 21.0


def veil_needed(texts: Sequence[Element], base: Image.Image, veil: Image.Image, above: Image.Image | None) -> float:
    """The least strength of the veil, from 0 to 1, at which every text can be read; 1 where none is enough.

    ``base`` is what lies under the veil, ``above`` what the layout puts over it before the text.
    """
    enough = 0
    for text in texts:
        place = pixels_of(text.box, base.size)
        parts = [base.crop(place).convert("RGB"), veil.crop(place), *([above.crop(place)] if above else [])]
        under, own, *over = (np.asarray(part, dtype=np.float32) for part in parts)
        is_touched = under.size > 0 and own[..., 3].any() and not (over and over[0][..., 3].min() == 255)
        if is_touched:
            enough = _enough(text.colour, under, own, over, at_least=enough)
    return VEILS[enough]


def _enough(
    colour: str, under: NDArray[np.float32], own: NDArray[np.float32], over: list[NDArray[np.float32]], *, at_least: int
) -> int:
    """The number of the weakest veil with which the colour can be read.

    It is searched for by halving, on those pixels that are worst to begin with, and then tried on all of them.
    """
    flat = [part.reshape(-1, part.shape[-1]) for part in (under, own, *over)]

    first = _contrasts(colour, flat, at_least)
    if float(first.min()) >= _AIM:
        return at_least
    few = min(_WORST, first.size - 1)
    worst = [part[np.argpartition(first, few)[: few + 1]] for part in flat]
    for parts in (worst, flat):
        low, high = at_least, len(VEILS) - 1
        while low < high:
            middle = (low + high) // 2
            is_readable = float(_contrasts(colour, parts, middle).min()) >= _AIM
            low, high = (low, middle) if is_readable else (middle + 1, high)
        at_least = low
        if float(_contrasts(colour, flat, at_least).min()) >= _AIM:
            break
    return at_least


def _contrasts(colour: str, parts: list[NDArray[np.float32]], number: int) -> NDArray[np.float32]:
    """With each pixel under the veil of this number; ``parts`` are what is under it, the veil, and what is over it."""
    seen = _over(parts[0], parts[1], VEILS[number])
    return palette.contrasts(colour, _whole(_over(seen, parts[2], 1.0) if len(parts) > 2 else seen))


def _over(under: NDArray[np.float32], layer: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    share = layer[..., 3:] / 255 * strength
    return (under * (1 - share) + layer[..., :3] * share).astype(np.float32)


def _whole(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def logo_contrast(logo: Image.Image, ground: Image.Image, box: Rectangle) -> float:
    """How well the logo's solid pixels stand out, by the mean of their contrast with the pixels behind them."""
    left, top = round(box.x), round(box.y)
    behind = np.asarray(ground.crop((left, top, left + logo.width, top + logo.height)).convert("RGB"))
    drawn = np.asarray(logo)
    solid = drawn[..., 3] > 127
    if not solid.any():
        return 1.0
    own, other = palette.luminance(drawn[solid][:, :3]), palette.luminance(behind[solid])
    return float(palette.between(own, other).mean())


def of_contrast(elements: Iterable[Element], ground: Image.Image) -> list[Finding]:
    """Texts that cannot be read on the pixels behind them."""
    found = []
    for element in elements:
        if element.layer == "text" and (ratio := least_contrast(element, ground)) < LEAST_CONTRAST:
            found.append(Finding("contrast_low", element.slot, {"ratio": round(ratio, 2)}))
    return found


def of_place(elements: Sequence[Element], canvas: Canvas, clear_space: float) -> list[Finding]:
    """Parts in unsafe zones, parts that overlap, texts below their least size, a logo without its clear space.

    ``clear_space`` is a share of the logo's height.
    """
    safe = canvas.safe
    free = Rectangle(
        safe.left,
        safe.top,
        canvas.width_px - safe.left - safe.right,
        canvas.height_px - safe.top - safe.bottom,
    )
    parts = [element for element in elements if element.layer in ("text", "logo")]
    found = [
        Finding("text_too_long", part.slot, {"size_px": round(part.size_px, 1), "least_px": round(part.least_px, 1)})
        for part in parts
        if part.layer == "text" and part.size_px < part.least_px - 0.05
    ]
    found += [
        Finding("outside_safe_zone", part.slot, {"px": round(_outside(part.outer, free), 1)})
        for part in parts
        if not part.outer.lies_in(free, slack=_BOUNDARY)
    ]
    for one, other in combinations(parts, 2):
        if one.outer.overlaps(other.outer):
            found.append(Finding("overlap", other.slot))
        elif (logo := one if one.layer == "logo" else other).layer == "logo":
            around = logo.outer.grown(clear_space * logo.outer.height)
            second = other if logo is one else one
            if around.overlaps(second.outer):
                found.append(Finding("logo_crowded", second.slot))
    return found


def _outside(box: Rectangle, free: Rectangle) -> float:
    return max(
        free.x - box.x,
        free.y - box.y,
        box.x + box.width - free.x - free.width,
        box.y + box.height - free.y - free.height,
    )
