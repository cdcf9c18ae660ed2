"""Any picture enlarged: 2 or 4 times, or until it fills a size."""

import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from worker.engines import memory
from worker.engines.contracts import EnlargedPicture, Progress
from worker.engines.image.base import model_cache
from worker.engines.image.enlarging import network as drawings
from worker.engines.image.enlarging import photographs
from worker.engines.image.enlarging.choosing import Kind, kind_of
from worker.engines.image.enlarging.tiles import TileDone, enlarged_in_tiles

FACTOR = drawings.FACTOR
NETWORKS: dict[Kind, str] = {"drawn": "realesr-animevideov3-x4", "photograph": "realesrgan-x4plus"}
"""By their makers' names for the weights."""
MOST_SIDE, MOST_PIXELS = 8192, 40_000_000
FREE_MEMORY = "Close other programs, or enlarge on a machine with more memory."


@dataclass(frozen=True)
class Enlarged:
    """An enlarged picture, and the network that did it."""

    picture: Image.Image
    network: str


def enlarged_picture(
    picture: Image.Image, times: int, tile_done: TileDone = lambda *_: None, kind: Kind | None = None
) -> Enlarged:
    """The picture 2 or 4 times as wide and as high, in RGB, by the network that suits what it looks like, or ``kind``.
    The network used last stays loaded.

    Raises ``ValueError`` for other factors, and whatever ``tile_done`` raises.
    """
    if times not in (2, FACTOR):
        raise ValueError(f"pictures are enlarged 2 or {FACTOR} times, not {times}")
    kind = kind or kind_of(picture)
    network, around, margin = (
        (drawings.network, drawings.AROUND, drawings.MARGIN)
        if kind == "drawn"
        else (photographs.network, photographs.AROUND, photographs.MARGIN)
    )
    device = model_cache.device()
    pixels = torch.from_numpy(np.array(picture.convert("RGB"))).to(device).permute(2, 0, 1)
    made = enlarged_in_tiles(
        network(device), pixels, factor=FACTOR, times=times, around=around, margin=margin, tile_done=tile_done
    )
    return Enlarged(made, NETWORKS[kind])


def enlarge(source: Path, times: int, target: Path, progress: Progress) -> EnlargedPicture:
    """``contracts.Enlarger.enlarge``."""
    with memory.out_of_memory_in_words(model_cache.device(), FREE_MEMORY):
        progress.phase("loading")
        began = time.monotonic()
        with Image.open(source) as opened:
            given = opened.convert("RGB")
        progress.phase("enlarging")
        made = enlarged_picture(given, times, progress.drawn)
        made.picture.save(target, "PNG")
    return EnlargedPicture(target, *made.picture.size, made.network, time.monotonic() - began)


def enlarged_to(png_bytes: bytes, width_px: int, height_px: int, *, tile_done: TileDone = lambda *_: None) -> bytes:
    """The picture in the smallest size of its own proportion that covers ``width_px`` × ``height_px``, as a PNG without
    metadata: enlarged by the network until it is at least that large, then made smaller with Lanczos. What covers the
    size already comes back as the very same bytes. Transparency is kept and enlarged with Lanczos alone.

    ``tile_done`` is told how many tiles of a pass are done, and of how many; what it raises ends the work. The network
    used last stays loaded. Raises ``ValueError`` where the result would be beyond ``MOST_SIDE`` or ``MOST_PIXELS``.
    """
    with Image.open(io.BytesIO(png_bytes)) as opened:
        size = _covering(opened.size, width_px, height_px)
        if size == opened.size:
            return png_bytes
        if max(size) > MOST_SIDE or size[0] * size[1] > MOST_PIXELS:
            raise ValueError(f"{size[0]} × {size[1]} pixels are more than can be made")
        transparent = opened.has_transparency_data
        given = opened.convert("RGBA" if transparent else "RGB")
    made = given.convert("RGB")
    kind = kind_of(made)
    while made.width < size[0] or made.height < size[1]:
        is_enough = made.width * 2 >= size[0] and made.height * 2 >= size[1]
        made = enlarged_picture(made, 2 if is_enough else FACTOR, tile_done, kind).picture
    made = made.resize(size, Image.Resampling.LANCZOS)
    if transparent:
        made.putalpha(given.getchannel("A").resize(size, Image.Resampling.LANCZOS))
    written = io.BytesIO()
    made.save(written, "PNG")
    return written.getvalue()


def _covering(own: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The smallest size in the proportion of ``own`` that covers ``width`` × ``height``, and at least ``own``."""
    times = max(1.0, width / own[0], height / own[1])
    return round(own[0] * times), round(own[1] * times)
