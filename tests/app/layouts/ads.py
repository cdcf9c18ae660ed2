"""Ads to look at in tests: what is drawn by default, and what of it a test changes."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.layouts.channels import channel
from app.layouts.designs import layout
from app.layouts.render import render, render_pdf
from app.layouts.values import Canvas, Insets, Rendered, RenderedPdf, Slots, Theme
from tests.tools import layout_samples as samples

SMALL = Canvas(360, 450, Insets(top=20, right=8, bottom=24, left=8))
"""A feed's proportion, small enough to be drawn often."""


def plain_picture(colour: tuple[int, int, int], size: tuple[int, int] = (60, 60)) -> bytes:
    """One colour but for a dot of another in its corner, so that it counts as a photograph."""
    image = Image.new("RGB", size, colour)
    image.putpixel((0, 0), tuple(255 - part for part in colour))  # type: ignore[arg-type]
    return as_png(image)


def checkers(size: int = 64, field: int = 4) -> bytes:
    """Black and white fields: the worst that text can stand on."""
    y, x = np.mgrid[0:size, 0:size]
    return as_png(Image.fromarray(((x // field + y // field) % 2 * 255).astype(np.uint8)).convert("RGB"))


def as_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def content(language: str = "de", picture: bytes | None = None, **changes: Any) -> Slots:
    return samples.slots(language, picture or plain_picture((40, 90, 140)), **changes)


def draw(
    key: str = "poster",
    slots: Slots | None = None,
    *,
    canvas: Canvas | str = SMALL,
    language: str = "de",
    theme: Theme = "light",
) -> Rendered:
    place = channel(canvas).canvas if isinstance(canvas, str) else canvas
    return render(layout(key), theme, place, slots or content(language), samples.locale(language), samples.COLOURS)


def draw_pdf(key: str, slots: Slots, *, canvas: Canvas | str = SMALL, language: str = "de") -> RenderedPdf:
    place = channel(canvas).canvas if isinstance(canvas, str) else canvas
    return render_pdf(layout(key), "light", place, slots, samples.locale(language), samples.COLOURS)


def pixels(drawn: Rendered) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB"))


def layer(drawn: Rendered, name: str) -> NDArray[np.uint8]:
    """RGBA of the canvas' size."""
    return next(np.asarray(one.image) for one in drawn.layers if one.name == name)


def codes(drawn: Rendered | RenderedPdf) -> set[str]:
    """Codes of what was found, but that a test's picture is small."""
    return {found.code for found in drawn.findings} - {"picture_enlarged"}
