"""Readers of start pictures and masks: what disposable processes run. Nothing else imports this module."""

import io
from typing import Any

import pyvips
from PIL import Image as Pixels
from PIL import ImageChops

from app.generations.errors import BadMask, MaskKeepsAll
from app.images.reading.decoding import BROKEN


def start_picture(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, int], list[bytes]]:
    """A picture of our own as PNG without metadata, at most ``side`` pixels on its longest side."""
    picture = pyvips.Image.new_from_buffer(blobs[0], "")
    side = question["side"]
    if max(picture.width, picture.height) > side:
        picture = picture.thumbnail_image(side, height=side, size="down")
    return {"width": picture.width, "height": picture.height}, [picture.pngsave_buffer(compression=6, keep="none")]


def mask(question: dict[str, Any], blobs: list[bytes]) -> tuple[None, list[bytes]]:
    """A mask as PNG: of a ``rectangle`` in percent, or of a painted PNG. Raises ``BadMask``, ``MaskKeepsAll``."""
    size = (question["size"][0], question["size"][1])
    given = question.get("rectangle")
    painted = _rectangle(given, size) if given else _painted(blobs[0], size, question["most_pixels"])
    if question["keeps_painted"]:
        painted = ImageChops.invert(painted)
    if not painted.getbbox():
        raise MaskKeepsAll()
    content = io.BytesIO()
    painted.save(content, "PNG", optimize=True)
    return None, [content.getvalue()]


def _rectangle(given: dict[str, float], size: tuple[int, int]) -> Pixels.Image:
    width, height = size
    left, top = round(width * given["left"] / 100), round(height * given["top"] / 100)
    right = round(width * (given["left"] + given["width"]) / 100)
    bottom = round(height * (given["top"] + given["height"]) / 100)
    painted = Pixels.new("L", size, 0)
    painted.paste(255, (left, top, min(right, width), min(bottom, height)))
    return painted


def _painted(content: bytes, size: tuple[int, int], most_pixels: int) -> Pixels.Image:
    try:
        with Pixels.open(io.BytesIO(content), formats=("PNG",)) as opened:
            if opened.width * opened.height > most_pixels:
                raise BadMask()
            opened.load()
            if "A" in opened.getbands() or "transparency" in opened.info:
                painted = opened.convert("RGBA").getchannel("A")
            else:
                painted = opened.convert("L")
    except BROKEN as error:
        raise BadMask() from error
    return painted.resize(size, Pixels.Resampling.BILINEAR)
