"""One picture in numbers, for the diagnosis of a set: sharpness, compression, lettering, style, and a small raster."""

import base64
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.diagnosis.measures import GRID, PictureMeasures
from worker.engines.image.measuring.style_statistics import style_statistics, to_lab

SIDE, TEXT_SIDES = 512, (1000, 640)
"""Pixels of the longest side at which sharpness is measured, and lettering is read: the second where the first shows
none, since large letters are found better when they are smaller."""
LEAST_CONTRAST = 40
"""Of 255, within a block of 16 pixels: less is no edge that could be sharp."""
LEAST_CONFIDENCE = 0.75
LEAST_LETTERS = 4
"""Fewer are mostly shapes that look like letters."""


def measure(picture: Image.Image, *, border: str | None, is_original_size: bool) -> PictureMeasures:
    """``picture``: a working copy, of any size. Takes tenths of a second, most of it for reading what is written."""
    picture = picture.convert("RGB")
    statistics = style_statistics([picture])
    raster = to_lab(np.asarray(picture.resize((GRID, GRID), Image.Resampling.BOX)))
    lab = to_lab(np.asarray(picture.resize((64, 64), Image.Resampling.BOX)))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    colour = (lab[..., 0].mean(), lab[..., 0].std(), chroma.mean(), chroma.std())
    style = (*statistics.edges, *statistics.texture, *colour, _grain(picture))
    return PictureMeasures(
        raster=base64.b64encode(np.clip(np.rint(raster), -128, 127).astype(np.int8).tobytes()).decode(),
        sharpest=round(_sharpest(picture), 4),
        blocking=round(_blocking(np.asarray(picture.convert("L"), np.float32)), 4) if is_original_size else None,
        style=tuple(round(float(one), 4) for one in style),
        border=border,
        lettering=_lettering(picture),
    )


def _grain(picture: Image.Image) -> float:
    """The median absolute Laplacian of the brightness at 256 pixels: 0 for flat drawings, much for paper and film."""
    light = np.asarray(picture.convert("L").resize((256, 256), Image.Resampling.BOX), np.float32)
    around = light[2:, 1:-1] + light[:-2, 1:-1] + light[1:-1, 2:] + light[1:-1, :-2]
    return float(np.median(np.abs(around - 4 * light[1:-1, 1:-1])))


def _sharpest(picture: Image.Image) -> float:
    """The steepest step of each block of 16x16 pixels as a share of the block's contrast; of the blocks that have any,
    the 90th percentile. A picture without contrast counts as sharp."""
    share = min(1.0, SIDE / max(picture.size))
    size = (max(17, round(picture.width * share)), max(17, round(picture.height * share)))
    light = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX), np.float32)
    high, wide = (light.shape[0] - 1) // 16, (light.shape[1] - 1) // 16
    steps = np.maximum(np.abs(np.diff(light, axis=0))[:, :-1], np.abs(np.diff(light, axis=1))[:-1])

    def blocks(of: NDArray[np.float32]) -> NDArray[np.float32]:
        return of[: high * 16, : wide * 16].reshape(high, 16, wide, 16).transpose(0, 2, 1, 3).reshape(-1, 256)

    seen = blocks(light)
    contrast = np.ptp(seen, axis=1)
    told = contrast >= LEAST_CONTRAST
    if not told.any():
        return 1.0
    return float(np.percentile(np.minimum(1.0, blocks(steps).max(1)[told] / contrast[told]), 90))


def _blocking(light: NDArray[np.float32]) -> float:
    """Steps across the borders of 8x8 blocks against the largest inside, after Wang, Sheikh and Bovik (2002),
    "No-reference perceptual quality assessment of JPEG compressed images"; of both directions the
    lesser, since blocks have both."""
    found = []
    for lines in (light, light.T):
        step = np.abs(np.diff(lines, axis=1))
        if step.shape[1] < 16:
            return 0.0
        step = np.minimum(step, 16.0)  # real edges say nothing about blocks
        by_place = np.array([step[:, place::8].mean() for place in range(8)])
        found.append((by_place[7] - by_place[:7].max()) / max(0.2, float(np.median(by_place[:7]))))
    return float(min(found))


@cache
def _reader() -> Any:
    from rapidocr import RapidOCR  # here: its models are read when the first picture is

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _lettering(picture: Image.Image) -> tuple[str, ...]:
    for side in TEXT_SIDES:
        share = side / max(picture.size)
        size = (max(32, round(picture.width * share)), max(32, round(picture.height * share)))
        found = _reader()(np.asarray(picture.resize(size, Image.Resampling.LANCZOS))[..., ::-1])
        if found.txts is None:
            continue
        texts = [
            text[:80]
            for text, score in zip(found.txts, found.scores, strict=True)
            if score >= LEAST_CONFIDENCE and sum(letter.isalnum() for letter in text) >= LEAST_LETTERS
        ]
        if texts:
            return tuple(texts[:10])
    return ()
