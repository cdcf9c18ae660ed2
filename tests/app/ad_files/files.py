"""What files in these tests say about themselves, and how they are opened again."""

import io
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from app.ad_files.values import AdFile, Provenance

TOLD = Provenance(
    created_at=datetime(2026, 12, 4, 9, 30, tzinfo=UTC),
    software="Livery 0.1.0",
    title="Größe <zählt> & „mehr“",
    alt_text='A sailboat, "close" & quiet\x00 قارب',
    ai_statement="KI-Bild",
)


def opened(file: AdFile) -> Image.Image:
    image = Image.open(io.BytesIO(file.content))
    image.load()
    return image


def colours(image: Image.Image) -> NDArray[np.int16]:
    return np.asarray(image.convert("RGB"), dtype=np.int16)


def noise(size: tuple[int, int] = (300, 250), seed: int = 1) -> bytes:
    """A PNG that cannot be packed small."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def described(profile: bytes) -> str:
    """The name that a colour profile has."""
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
