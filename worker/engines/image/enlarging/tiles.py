"""A network over a picture of any size, tile by tile, so that memory does not grow with the picture."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

TILE_SIDE = 192
"""Pixels of a tile's side before it is enlarged, without what is seen around it."""
TileDone = Callable[[int, int], None]
"""Is told after each tile how many are done, and of how many; what it raises ends the work."""


@dataclass(frozen=True)
class Tile:
    """A part of a picture, and the larger part that the network sees of it, in pixels before they are enlarged."""

    left: int
    top: int
    right: int
    bottom: int
    seen: tuple[int, int, int, int]


def tiles_of(width: int, height: int, around: int) -> list[Tile]:
    """Tiles that cover a picture of this size once, row by row; each is seen with ``around`` pixels more on every side,
    as far as the picture reaches."""
    return [
        Tile(
            left,
            top,
            right := min(width, left + TILE_SIDE),
            bottom := min(height, top + TILE_SIDE),
            (max(0, left - around), max(0, top - around), min(width, right + around), min(height, bottom + around)),
        )
        for top in range(0, height, TILE_SIDE)
        for left in range(0, width, TILE_SIDE)
    ]


@torch.no_grad()
def enlarged_in_tiles(
    network: nn.Module, pixels: Tensor, *, factor: int, times: int, around: int, margin: int, tile_done: TileDone
) -> Image.Image:
    """RGB pixels (3, height, width), 0 to 255, enlarged by a network that enlarges ``factor`` times, and made smaller
    with Lanczos to ``times``. ``around`` is how far the network looks, ``margin`` what goes round the picture."""
    _, height, width = pixels.shape
    made = Image.new("RGB", (round(width * times), round(height * times)))
    tiles = tiles_of(width, height, around)
    for number, tile in enumerate(tiles, 1):
        left, top, right, bottom = tile.seen
        seen = F.pad(pixels[None, :, top:bottom, left:right].float() / 255, (margin,) * 4, mode="replicate")
        large = network(seen.contiguous(memory_format=torch.channels_last))[0]
        edge = margin * factor
        inner = (large[:, edge:-edge, edge:-edge].clamp(0, 1) * 255).round().byte()
        _paste(made, Image.fromarray(inner.permute(1, 2, 0).cpu().numpy()), tile, factor, times)
        tile_done(number, len(tiles))
    return made


def _paste(made: Image.Image, large: Image.Image, tile: Tile, factor: int, times: int) -> None:
    """Put a tile's own part, in its last size, where it belongs. What is seen around it is used by Lanczos too, so that
    no seam shows."""
    left, top = tile.seen[:2]
    box = (tile.left - left, tile.top - top, tile.right - left, tile.bottom - top)
    own = tuple(edge * factor for edge in box)
    at = [round(edge * times) for edge in (tile.left, tile.top, tile.right, tile.bottom)]
    size = at[2] - at[0], at[3] - at[1]
    part = large.crop(own) if times == factor else large.resize(size, Image.Resampling.LANCZOS, box=own)
    made.paste(part, (at[0], at[1]))
