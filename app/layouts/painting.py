"""What is painted without Typst: the cropped picture and the logo, each at its exact pixels."""

import io
import struct
from dataclasses import dataclass

import numpy as np
import pyvips
import resvg_py
from PIL import Image, ImageDraw

from app.errors import N_, Invalid
from app.layouts.typesetting import Element
from app.layouts.values import Rectangle

SVG = "svg"


class NoLogo(Invalid):
    sentence = N_("The logo is no PNG or SVG file.")


_SAME_COLOUR = 6
"""Steps of 255 by which the edge of a picture may vary and still be a plain ground."""
_CORNERS = 4
"""How many times finer than the canvas rounded corners are drawn before they are made smaller."""


@dataclass(frozen=True)
class Logo:
    """A logo's file, its kind, and its size: pixels of a PNG, units of an SVG."""

    content: bytes
    kind: str
    width: float
    height: float

    @property
    def ratio(self) -> float:
        return self.width / self.height


def read_logo(content: bytes) -> Logo:
    """Raises ``NoLogo`` for a file that is neither PNG nor SVG."""
    try:
        if content.startswith(b"\x89PNG"):
            return Logo(content, "png", *struct.unpack(">II", content[16:24]))
        return Logo(content, SVG, *Image.open(io.BytesIO(_drawn(content, None))).size)
    except (ValueError, OSError, struct.error) as error:
        raise NoLogo from error


def _drawn(svg: bytes, width: int | None) -> bytes:
    """The SVG as PNG, without fonts or files of this machine."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), width=width, skip_system_fonts=True))


def logo_image(logo: Logo, place: Rectangle) -> tuple[Image.Image, Rectangle]:
    """The logo as RGBA, as large as its place holds, and where it stands in the middle of it, on whole pixels.

    An SVG is drawn at that size once, so that its pixels are those of its own drawing.
    """
    width = max(1, round(min(place.width, place.height * logo.ratio)))
    if logo.kind == SVG:
        image = Image.open(io.BytesIO(_drawn(logo.content, width))).convert("RGBA")
        while image.height > place.height and width > 1:  # resvg rounds heights up
            width -= 1
            image = Image.open(io.BytesIO(_drawn(logo.content, width))).convert("RGBA")
    else:
        size = (width, max(1, round(width / logo.ratio)))
        image = Image.open(io.BytesIO(logo.content)).convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    x = place.x + (place.width - image.width) // 2
    y = place.y + (place.height - image.height) // 2
    return image, Rectangle(x, y, image.width, image.height)


@dataclass(frozen=True)
class Picture:
    """``plain`` is the colour of the ground where a motif stands free on one; then the picture is shown whole."""

    image: Image.Image
    plain: tuple[int, int, int] | None


def open_picture(content: bytes) -> Picture:
    """The picture as RGB, or RGBA where it is transparent."""
    image: Image.Image = Image.open(io.BytesIO(content))
    if "A" in image.getbands() or "transparency" in image.info:
        return Picture(image.convert("RGBA"), None)
    image = image.convert("RGB")
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle = np.median(edge, axis=0)
    is_plain = float(np.abs(edge - middle).max()) <= _SAME_COLOUR
    return Picture(image, tuple(int(part) for part in middle) if is_plain else None)  # type: ignore[arg-type]


def _shift(side: float, whole: float, focus: float, aim: float) -> float:
    """Where the picture begins, so that the focus lies at the aim as far as picture and place let it."""
    low, high = min(0.0, side - whole), max(0.0, side - whole)
    return min(high, max(low, aim * side - focus * whole))


def enlargement(picture: Picture, element: Element) -> float:
    """By how much the picture is enlarged for its place; below 1 it is made smaller."""
    image = picture.image
    choose = max if picture.plain is None else min
    return choose(element.box.width / image.width, element.box.height / image.height)


def cropped(picture: Picture, element: Element, focus: tuple[float, float], *, mirrored: bool) -> Image.Image:
    """The part of the picture around the focus that fills its place, at the place's pixels, as RGBA."""
    width, height = round(element.box.width), round(element.box.height)
    scale, image = enlargement(picture, element), picture.image
    aim_x = 1 - element.aim[0] if mirrored else element.aim[0]
    left = _shift(width, image.width * scale, focus[0], aim_x)
    top = _shift(height, image.height * scale, focus[1], element.aim[1])
    if picture.plain is None:
        part = (
            max(0.0, -left / scale),
            max(0.0, -top / scale),
            min(image.width, (width - left) / scale),
            min(image.height, (height - top) / scale),
        )
        filled = image.resize((width, height), Image.Resampling.LANCZOS, box=part, reducing_gap=3.0).convert("RGBA")
    else:
        filled = Image.new("RGBA", (width, height), picture.plain)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        filled.paste(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), (round(left), round(top)))
    if element.radius > 0:
        filled.putalpha(_rounded(width, height, element.radius, filled))
    return filled


def _rounded(width: int, height: int, radius: float, filled: Image.Image) -> Image.Image:
    mask = Image.new("L", (width * _CORNERS, height * _CORNERS), 0)
    edge = (0, 0, width * _CORNERS - 1, height * _CORNERS - 1)
    ImageDraw.Draw(mask).rounded_rectangle(edge, min(radius, width / 2, height / 2) * _CORNERS, fill=255)
    corners = mask.resize((width, height), Image.Resampling.BOX)
    return Image.composite(filled.getchannel("A"), Image.new("L", (width, height), 0), corners)


def on_canvas(size: tuple[int, int], image: Image.Image, x: float, y: float) -> Image.Image:
    """The image alone on a transparent page."""
    page = Image.new("RGBA", size, (0, 0, 0, 0))
    page.paste(image, (round(x), round(y)))
    return page


def faded(layer: Image.Image, strength: float) -> Image.Image:
    """The layer at a strength from 0 to 1."""
    if strength >= 1:
        return layer
    weaker = layer.copy()
    weaker.putalpha(layer.getchannel("A").point(lambda alpha: round(alpha * strength)))
    return weaker


def as_png(image: Image.Image) -> bytes:
    """The image's bytes as PNG in sRGB without a transparent part; the same each time."""
    flat = image.convert("RGB")
    raw = pyvips.Image.new_from_memory(flat.tobytes(), flat.width, flat.height, 3, "uchar")
    return bytes(raw.copy(interpretation="srgb").pngsave_buffer(compression=3, keep=0))
