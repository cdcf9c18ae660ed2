"""Real ads of every channel, measured as they leave the house: weight, words, safe zones, contrast, logo, layers.

Every ad is drawn once; what is measured of it is kept, and the tests look at that.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import resvg_py
from numpy.typing import NDArray
from PIL import Image
from psd_tools import PSDImage
from pypdf import PdfReader

from app.ad_files.documents import pdf_file
from app.ad_files.layered import psd_file
from app.ad_files.origin import COMPOSITE_SOURCE_TYPE
from app.ad_files.pictures import picture_file
from app.ad_files.values import AdFile
from app.layouts import palette
from app.layouts.channels import MM_PER_INCH, Channel, channels
from app.layouts.designs import layout, layouts
from app.layouts.render import render, render_pdf
from app.layouts.values import Rendered, RenderedPdf, Slots, Theme
from tests.app.ad_files.files import TOLD, colours, opened
from tests.tools import layout_samples as samples
from tests.tools.ocr import words_in, wrong_letters
from tests.tools.pdf_text import text_in

pytestmark = pytest.mark.slow

HEADLINES = (
    "Der Sommer beginnt am Wasser",
    "Größer träumen, süß schlafen",
    "Über Öl und Ärger lacht Groß",
    "Schöne Füße, heiße Bäder",
    "Made for mornings",
)
KEYS = [one.key for one in layouts()]
SCREEN = [one for one in channels() if one.paper is None]
PRINTS = [one for one in channels() if one.paper is not None]
EACH = 2
"""Layouts for each channel on the screen: those in turn, so that all of them come several times."""
LAYERED = 700_000
"""Ads of up to so many pixels are also written as PSD."""


@dataclass(frozen=True)
class Measured:
    """What was found of one ad. ``of_text`` and ``of_logo`` count pixels outside the safe zone."""

    name: str
    channel: Channel
    file: AdFile
    size: tuple[int, int]
    headline: str
    read: str
    of_text: int
    of_logo: int
    contrast: float
    logo_difference: float
    psd_difference: int | None


@pytest.fixture(scope="module")
def ads() -> list[Measured]:
    photos = (samples.landscape(size=(1000, 1000)), samples.still_life(size=(900, 1100)))
    return [_measured(place, number, photos[number % 2]) for number, place in _cells()]


def _cells() -> Iterator[tuple[int, Channel]]:
    number = 0
    for place in SCREEN:
        for _ in range(EACH):
            yield number, place
            number += 1


def _measured(place: Channel, number: int, photo: bytes) -> Measured:
    key, headline = KEYS[number % len(KEYS)], HEADLINES[number % len(HEADLINES)]
    theme: Theme = "dark" if number // 2 % 2 else "light"
    slots = samples.slots("de", photo, headline=headline)
    drawn = render(layout(key), theme, place.canvas, slots, samples.locale("de"), samples.COLOURS)
    assert place.file_type in ("png", "jpeg", "webp")
    file = picture_file(drawn.png, place.file_type, TOLD, max_bytes=place.max_bytes)  # type: ignore[arg-type]
    ground = _without_words(drawn)
    return Measured(
        name=f"{place.key} {key} {theme}",
        channel=place,
        file=file,
        size=opened(file).size,
        headline=headline,
        read=words_in(file.content, drawn.boxes["headline"]),
        of_text=_outside(drawn, "text", place),
        of_logo=_outside(drawn, "logo", place),
        contrast=_least_contrast(drawn, ground),
        logo_difference=_of_logo(drawn, slots, ground),
        psd_difference=_of_layers(drawn) if place.width_px * place.height_px <= LAYERED else None,
    )


def _layer(drawn: Rendered, name: str) -> NDArray[np.uint8]:
    return next(np.asarray(one.image) for one in drawn.layers if one.name == name)


def _without_words(drawn: Rendered) -> Image.Image:
    """What lies behind text and logo."""
    ground = drawn.layers[0].image.copy()
    for one in drawn.layers[1:]:
        if one.name not in ("text", "logo"):
            ground.alpha_composite(one.image)
    return ground


def _outside(drawn: Rendered, name: str, place: Channel) -> int:
    """Pixels of the layer with any ink where apps put their own buttons."""
    ink, safe = _layer(drawn, name)[..., 3] > 0, place.safe
    ink[safe.top : place.height_px - safe.bottom, safe.left : place.width_px - safe.right] = False
    return int(ink.sum())


def _least_contrast(drawn: Rendered, ground: Image.Image) -> float:
    """Of every pixel that lies well within a letter with the pixel behind it; thin letters fill none entirely."""
    text = _layer(drawn, "text")
    solid = text[..., 3] >= 200
    own, behind = (palette.luminance(pixels[solid][:, :3]) for pixels in (text, np.asarray(ground)))
    return float(palette.between(own, behind).min())


def _of_logo(drawn: Rendered, slots: Slots, ground: Image.Image) -> float:
    """The largest difference of a pixel from the brand's file drawn by itself; of its two files the nearer counts."""
    box = drawn.boxes["logo"]
    place = round(box.x), round(box.y)
    shown = Image.open(io.BytesIO(drawn.png)).crop((*place, place[0] + round(box.width), place[1] + round(box.height)))
    found = []
    for svg in (slots.logo_on_light, slots.logo_on_dark):
        assert svg is not None
        own = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), width=round(box.width)))))
        alone = ground.crop((*place, place[0] + own.width, place[1] + own.height))
        alone.alpha_composite(own.convert("RGBA"))
        if alone.size == shown.size:
            found.append(float(np.linalg.norm(_lab(alone) - _lab(shown), axis=-1).max()))
    return min(found)


def _lab(image: Image.Image) -> NDArray[np.float64]:
    """CIELAB under D65 of sRGB pixels (height, width, 3)."""
    light = palette.LINEAR[np.asarray(image.convert("RGB"))].astype(np.float64)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = light @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def _of_layers(drawn: Rendered) -> int:
    document = PSDImage.open(io.BytesIO(psd_file(drawn, TOLD).content))
    finished = Image.open(io.BytesIO(drawn.png))
    return int(np.abs(colours(document.composite(force=True)) - colours(finished)).max())


def test_files_have_the_pixels_type_and_weight_of_their_channel(ads: list[Measured]) -> None:
    assert {ad.channel.key for ad in ads} == {one.key for one in SCREEN}
    assert {ad.name.split()[1] for ad in ads} == set(KEYS)
    for ad in ads:
        assert ad.size == (ad.channel.width_px, ad.channel.height_px), ad.name
        assert ad.file.kind == ad.channel.file_type, ad.name
        assert ad.channel.max_bytes is None or len(ad.file.content) <= ad.channel.max_bytes, ad.name
        assert COMPOSITE_SOURCE_TYPE.encode() in ad.file.content, ad.name
        assert not {found.code for found in ad.file.findings} - {"colours_reduced"}, ad.name


def test_headlines_are_read_back_from_the_files(ads: list[Measured]) -> None:
    wrong = {ad.name: (ad.read, ad.headline) for ad in ads if wrong_letters(ad.read, ad.headline)}
    letters = sum(len("".join(ad.headline.split())) for ad in ads)
    right = 1 - sum(wrong_letters(*pair) for pair in wrong.values()) / letters
    assert right >= 0.98, wrong


def test_no_text_or_logo_pixel_lies_in_an_unsafe_zone(ads: list[Measured]) -> None:
    assert {ad.name: (ad.of_text, ad.of_logo) for ad in ads if ad.of_text or ad.of_logo} == {}


def test_every_letter_can_be_read_on_the_pixels_behind_it(ads: list[Measured]) -> None:
    assert {ad.name: ad.contrast for ad in ads if ad.contrast < palette.LEAST_CONTRAST} == {}


def test_the_logo_is_the_brands_own_drawing(ads: list[Measured]) -> None:
    assert {ad.name: ad.logo_difference for ad in ads if ad.logo_difference >= 1} == {}


def test_layers_compose_to_the_ad_in_every_layout(ads: list[Measured]) -> None:
    layered = [ad for ad in ads if ad.psd_difference is not None]
    assert len(layered) >= 10
    assert {ad.name: ad.psd_difference for ad in layered if (ad.psd_difference or 0) > 2} == {}


@pytest.mark.parametrize("place", PRINTS, ids=lambda place: place.key)
@pytest.mark.parametrize("language", ["de", "ar"])
def test_prints_are_pdf_with_bleed_live_text_and_their_own_fonts(place: Channel, language: str) -> None:
    key = KEYS[(PRINTS.index(place) * 2 + (language == "ar")) % len(KEYS)]
    slots = samples.slots(language, samples.landscape(size=(800, 800)))
    made = render_pdf(layout(key), "light", place.canvas, slots, samples.locale(language), samples.COLOURS)
    file = pdf_file(made.pdf, TOLD)
    page = PdfReader(io.BytesIO(file.content)).pages[0]
    assert place.paper is not None
    for side, mm in ((page.trimbox.width, place.paper.width_mm), (page.trimbox.height, place.paper.height_mm)):
        assert float(side) / 72 * MM_PER_INCH == pytest.approx(mm, abs=0.3)
    for edge in ("left", "bottom", "right", "top"):
        trim, bleed, media = (abs(float(getattr(box, edge))) for box in (page.trimbox, page.bleedbox, page.mediabox))
        assert place.paper.bleed_mm <= abs(trim - bleed) / 72 * MM_PER_INCH < place.paper.bleed_mm + 0.3
        assert abs(media - bleed) / 72 * MM_PER_INCH == pytest.approx(6, abs=0.3)
    _fonts_are_within(page)
    assert _words(file.content, made, place, language) == samples.WORDS[language]["headline"]


def _fonts_are_within(page: object) -> None:
    fonts = page["/Resources"]["/Font"].values()  # type: ignore[index]
    assert fonts
    for font in fonts:
        told = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(told), told


def _words(pdf: bytes, made: RenderedPdf, place: Channel, language: str) -> str:
    """The headline as it is copied from the page; boxes are in px of the cut size."""
    return text_in(pdf, made.boxes["headline"], rtl=language == "ar", dpi=place.canvas.dpi)
