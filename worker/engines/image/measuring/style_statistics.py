"""Style in numbers: palette, edges and texture of a set of pictures, and how far two sets are apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
SIDE = 128
COLOURS = 12
DARK = 35.0  # CIE L* below which a pixel counts as dark


@dataclass(frozen=True)
class StyleStatistics:
    """Means over a set of pictures, each seen at 128x128 pixels."""

    palette: Array
    """(colours, 4): CIE L*, a*, b* (D65) and the share of all pixels, the largest first."""
    edges: Array
    """(4,): mean gradient and 90th percentile of the gradient of L* (per pixel), share of pixels on an edge, share of
    edge pixels that are dark (outlines)."""
    texture: Array
    """(3,): share of 8x8 blocks that are flat, mean deviation of L* inside blocks, mean absolute Laplacian of L*."""


@dataclass(frozen=True)
class StyleDistance:
    """How far two sets are apart; 0 means alike."""

    palette: float
    """Mean CIEDE2000 to the nearest colour of the other palette, weighted with shares, both ways."""
    edges: float
    """Mean relative difference of the edge statistics, 0..1."""
    texture: float
    """Mean relative difference of the texture statistics, 0..1."""


def to_lab(rgb: NDArray[np.uint8]) -> Array:
    """sRGB (..., 3) as bytes to CIE L*a*b* under D65 (IEC 61966-2-1, CIE 15:2004)."""
    c = rgb.astype(np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def delta_e_2000(one: Array, other: Array) -> Array:
    """CIEDE2000 between L*a*b* colours (..., 3), broadcast (Sharma, Wu and Dalal 2005, Color Res. Appl. 30, 21-30)."""
    l1, a1, b1 = np.moveaxis(one, -1, 0)
    l2, a2, b2 = np.moveaxis(other, -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    dh = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    # (h2 - h1) of exactly 180 degrees keeps its sign positive, as in the paper
    dh = np.where(~grey & np.isclose(h2 - h1, 180), 180.0, dh)
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    total = h1 + h2
    h = np.where(
        grey,
        total,
        np.where(np.abs(h1 - h2) <= 180, total / 2, np.where(total < 360, total / 2 + 180, total / 2 - 180)),
    )
    t = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    turn = 30 * np.exp(-(((h - 275) / 25) ** 2))
    r_c = 2 * np.sqrt(c**7 / (c**7 + 25.0**7))
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c, 1 + 0.015 * c * t
    r_t = -np.sin(np.radians(2 * turn)) * r_c
    parts = (d_l / s_l) ** 2 + (d_c / s_c) ** 2 + (d_h / s_h) ** 2 + r_t * (d_c / s_c) * (d_h / s_h)
    return np.sqrt(np.maximum(parts, 0))


def style_statistics(images: Sequence[Image.Image]) -> StyleStatistics:
    """Palette, edges and texture of pictures of any size. Raises ValueError if there are none."""
    if not images:
        raise ValueError("no pictures to take statistics of")
    pixels = np.stack([np.asarray(i.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)) for i in images])
    lab = to_lab(pixels)
    light = lab[..., 0]
    return StyleStatistics(_palette(lab.reshape(-1, 3)), _edges(light), _texture(light))


def _palette(lab: Array) -> Array:
    """Lloyd's k-means on at most 40,000 pixels from farthest-point seeds; deterministic."""
    points = lab[:: max(1, len(lab) // 40_000)]
    centres = points.mean(0, keepdims=True)
    for _ in range(COLOURS - 1):
        far = np.min(((points[:, None] - centres[None]) ** 2).sum(-1), axis=1)
        # the point at the 99.5th percentile, not the farthest, which may be a stray
        centres = np.vstack([centres, points[np.argsort(far, kind="stable")[int(len(far) * 0.995)]]])
    for _ in range(15):
        nearest = ((points[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
        share = np.bincount(nearest, minlength=COLOURS)
        for k in np.flatnonzero(share):
            centres[k] = points[nearest == k].mean(0)
    order = np.argsort(-share, kind="stable")
    order = order[share[order] > 0]
    return np.column_stack([centres[order], share[order] / len(points)])


def _edges(light: Array) -> Array:
    dx = (light[:, 1:-1, 2:] - light[:, 1:-1, :-2]) / 2
    dy = (light[:, 2:, 1:-1] - light[:, :-2, 1:-1]) / 2
    slope = np.hypot(dx, dy)
    edge = slope > 8
    dark = light[:, 1:-1, 1:-1] < DARK
    return np.array([slope.mean(), np.percentile(slope, 90), edge.mean(), (edge & dark).sum() / max(1, edge.sum())])


def _texture(light: Array) -> Array:
    n = len(light)
    blocks = light.reshape(n, SIDE // 8, 8, SIDE // 8, 8).std(axis=(2, 4))
    inner = light[:, 1:-1, 1:-1]
    laplace = light[:, 2:, 1:-1] + light[:, :-2, 1:-1] + light[:, 1:-1, 2:] + light[:, 1:-1, :-2] - 4 * inner
    return np.array([(blocks < 1.0).mean(), blocks.mean(), np.abs(laplace).mean()])


def palette_distance(one: Array, other: Array) -> float:
    """CIEDE2000 from each colour to the nearest one of the other palette, weighted with shares; the mean of both
    ways.
    """
    between = delta_e_2000(one[:, None, :3], other[None, :, :3])
    return float(((between.min(1) * one[:, 3]).sum() + (between.min(0) * other[:, 3]).sum()) / 2)


def style_distance(one: StyleStatistics, other: StyleStatistics) -> StyleDistance:
    """How far two sets of pictures are apart in palette, edges and texture."""
    return StyleDistance(
        palette_distance(one.palette, other.palette),
        _relative(one.edges, other.edges),
        _relative(one.texture, other.texture),
    )


def _relative(a: Array, b: Array) -> float:
    return float(np.mean(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-9)))
