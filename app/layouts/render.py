"""Draws a finished ad from a layout and what is put into it, and checks it."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from app.errors import N_, Invalid
from app.layouts import checks, letters, painting, pdf_boxes
from app.layouts.channels import proportion_class
from app.layouts.designs import Layout
from app.layouts.painting import Logo, Picture
from app.layouts.palette import palette, rgb
from app.layouts.typesetting import DEFAULT_FAMILY, FALLBACK_FAMILIES, FONTS, Element, Sheet, sheet
from app.layouts.values import (
    TEXT_SLOTS,
    Canvas,
    Colours,
    Finding,
    Layer,
    Locale,
    Rectangle,
    Rendered,
    RenderedPdf,
    Slots,
    Theme,
)

UNSEEN = re.compile(r"[\x00-\x09\x0b-\x20\x7f-\x9f]+")
"""Runs of spaces and of control characters, but for the line break: one space stands for them."""
PICTURE_KINDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
LEAST_ENLARGEMENT = 1.05
"""From here on an enlarged picture or logo is a finding."""


class NoPicture(Invalid):
    sentence = N_("The picture is no PNG, JPEG or WebP file.")


@dataclass
class _Ad:
    """An ad that has been set. ``ground`` is what lies behind its text, ``layers`` what it is made of but the logo."""

    sheet: Sheet
    elements: list[Element]
    layers: list[Layer]
    ground: Image.Image
    veil: float
    findings: list[Finding]
    logo: Logo | None = None
    logo_image: Image.Image | None = None


def render(
    layout: Layout,
    theme: Theme,
    canvas: Canvas,
    slots: Slots,
    locale: Locale,
    colours: Colours,
    *,
    fonts_folder: Path = FONTS,
    family: str = DEFAULT_FAMILY,
    body_family: str = "",
) -> Rendered:
    """The ad as PNG of exactly the canvas' pixels, without bleed.

    ``fonts_folder`` holds TTF or OTF files, among them those of ``family``, which the headline is set in, and of
    ``body_family``, which all other words are set in (empty: the same). What does not fit, cannot be read or lies
    where it must not is told in the findings; nothing is ever cut. Raises ``NoPicture``, ``NoLogo``, and ``NoColour``
    for a colour that is not ``#rrggbb``.
    """
    with _stacked(layout, theme, canvas, slots, locale, colours, fonts_folder, (family, body_family)) as ad:
        layers = [*ad.layers, *_logo_layer(ad, canvas)]
    finished = ad.ground
    for layer in layers:
        if layer.name in ("text", "logo"):
            finished.alpha_composite(layer.image)
    return Rendered(painting.as_png(finished), _boxes(ad.elements), tuple(ad.findings), tuple(layers))


def render_pdf(
    layout: Layout,
    theme: Theme,
    canvas: Canvas,
    slots: Slots,
    locale: Locale,
    colours: Colours,
    *,
    fonts_folder: Path = FONTS,
    family: str = DEFAULT_FAMILY,
    body_family: str = "",
) -> RenderedPdf:
    """The same ad as PDF with live text and embedded fonts, as large on paper as the canvas' ``dpi`` says.

    Where the canvas has a bleed, the page is larger by it and by crop marks, and its ``TrimBox`` says where it is cut.
    Raises what ``render`` raises.
    """
    with _stacked(layout, theme, canvas, slots, locale, colours, fonts_folder, (family, body_family)) as ad:
        pdf = ad.sheet.pdf(veil=ad.veil, logo_file="" if ad.logo is None else _logo_file(ad.logo, slots))
    return RenderedPdf(pdf_boxes.with_boxes(pdf, canvas), _boxes(ad.elements), tuple(ad.findings))


@contextmanager
def _stacked(
    layout: Layout,
    theme: Theme,
    canvas: Canvas,
    slots: Slots,
    locale: Locale,
    colours: Colours,
    fonts_folder: Path,
    families: tuple[str, str],
) -> Iterator[_Ad]:
    picture, kind = _open(slots.picture)
    logos = [painting.read_logo(one) for one in (slots.logo_on_light, slots.logo_on_dark) if one is not None]
    files = {f"picture.{kind}": slots.picture, **{_logo_file(logo, slots): logo.content for logo in logos}}
    plain = None if picture.plain is None else "#{:02x}{:02x}{:02x}".format(*picture.plain)
    paint = palette(colours, theme, plain)
    given = _given(layout, theme, canvas, slots, locale, paint, families)
    given["picture"] = {
        "file": f"picture.{kind}",
        "width": picture.image.width,
        "height": picture.image.height,
        "focus": slots.focus,
        "plain": plain,
    }
    # Both logos get the room of the wider one, so that the choice between them moves nothing.
    widest = max(logos, key=lambda logo: logo.ratio, default=None)
    shown = layout.slots[proportion_class(canvas.width_px, canvas.height_px)]
    given["logo"] = {"ratio": widest.ratio} if widest and "logo" in shown else None
    with sheet(layout, given, files, fonts_folder, canvas.dpi) as one:
        ad = _stack(one, canvas, slots, paint["ground"], picture, locale)
        ad.findings += _of_pictures(ad.elements, picture)
        _choose_logo(ad, logos)
        ad.findings += checks.of_place(ad.elements, canvas, slots.logo_clear_space)
        ad.findings += _of_letters(given["texts"], fonts_folder)
        ad.findings += checks.of_contrast(ad.elements, ad.ground)
        yield ad


def _given(
    layout: Layout,
    theme: Theme,
    canvas: Canvas,
    slots: Slots,
    locale: Locale,
    paint: dict[str, str],
    families: tuple[str, str],
) -> dict[str, Any]:
    """What the layout's program is told, as data."""
    proportion = proportion_class(canvas.width_px, canvas.height_px)
    shown = layout.slots[proportion]
    safe = canvas.safe
    headline, body = families
    return {
        "canvas": {
            "width": canvas.width_px,
            "height": canvas.height_px,
            "dpi": canvas.dpi,
            "bleed": canvas.bleed_px,
            "class": proportion,
            "top": safe.top,
            "right": safe.right,
            "bottom": safe.bottom,
            "left": safe.left,
        },
        "locale": {"language": locale.language, "direction": locale.direction, "tall": locale.has_tall_letters},
        "theme": theme,
        "palette": paint,
        "texts": {name: _seen(getattr(slots, name)) if name in shown else "" for name in TEXT_SLOTS},
        "families": {"headline": _with_stand_ins(headline), "body": _with_stand_ins(body or headline)},
        "print": False,
        "veil": 1.0,
    }


def _with_stand_ins(family: str) -> list[str]:
    return [family, *(name for name in FALLBACK_FAMILIES if name != family)]


def _seen(text: str) -> str:
    return UNSEEN.sub(" ", text.replace("\r\n", "\n")).strip()


def _open(content: bytes) -> tuple[Picture, str]:
    try:
        kind = PICTURE_KINDS[Image.open(io.BytesIO(content)).format or ""]
        return painting.open_picture(content), kind
    except (OSError, KeyError) as error:
        raise NoPicture from error


def _logo_file(logo: Logo, slots: Slots) -> str:
    return f"{'light' if logo.content == slots.logo_on_light else 'dark'}.{logo.kind}"


def _stack(one: Sheet, canvas: Canvas, slots: Slots, ground_colour: str, picture: Picture, locale: Locale) -> _Ad:
    """Everything below the text, with as much of the veil as the text needs."""
    elements = one.elements()
    size = canvas.width_px, canvas.height_px
    used = {element.layer for element in elements}
    drawn = [name for name in ("under", "scrim", "shapes", "text") if name in used]
    pages = dict(zip(drawn, one.pages(drawn), strict=True))
    ground = Image.new("RGBA", size, rgb(ground_colour))
    if "under" in pages:
        ground.alpha_composite(pages["under"])
    layers = [Layer("ground", ground.copy())]
    mirrored = locale.direction == "rtl"
    for element in elements:
        if element.layer == "picture":
            part = painting.cropped(picture, element, slots.focus, mirrored=mirrored)
            page = painting.on_canvas(size, part, element.box.x, element.box.y)
            ground.alpha_composite(page)
            layers.append(Layer("picture", page))
    veil = 0.0
    if "scrim" in pages:
        texts = [element for element in elements if element.layer == "text"]
        veil = checks.veil_needed(texts, ground, pages["scrim"], pages.get("shapes"))
        if veil > 0:
            layers.append(Layer("scrim", painting.faded(pages["scrim"], veil)))
            ground.alpha_composite(layers[-1].image)
    if "shapes" in pages:
        layers.append(Layer("shapes", pages["shapes"]))
        ground.alpha_composite(pages["shapes"])
    text = [Layer("text", pages["text"])] if "text" in pages else []
    return _Ad(one, elements, [*layers, *text], ground, veil, [])


def _choose_logo(ad: _Ad, logos: list[Logo]) -> None:
    """The logo that stands out best on what is behind it."""
    place = next((element for element in ad.elements if element.layer == "logo"), None)
    if place is None or not logos:
        return
    drawn = [(logo, *painting.logo_image(logo, place.box)) for logo in logos]
    ratio, best = max((checks.logo_contrast(image, ad.ground, box), -i) for i, (_, image, box) in enumerate(drawn))
    ad.logo, ad.logo_image, box = drawn[-best]
    ad.elements[ad.elements.index(place)] = replace(place, box=box, outer=box)
    if ratio < checks.LEAST_LOGO_CONTRAST:
        ad.findings.append(Finding("logo_contrast", "logo", {"ratio": round(ratio, 2)}))
    if ad.logo.kind != painting.SVG and (factor := box.width / ad.logo.width) > LEAST_ENLARGEMENT:
        ad.findings.append(Finding("logo_enlarged", "logo", {"factor": round(factor, 2)}))


def _logo_layer(ad: _Ad, canvas: Canvas) -> list[Layer]:
    place = next((element for element in ad.elements if element.layer == "logo"), None)
    if place is None or ad.logo_image is None:
        return []
    size = canvas.width_px, canvas.height_px
    return [Layer("logo", painting.on_canvas(size, ad.logo_image, place.box.x, place.box.y))]


def _of_pictures(elements: list[Element], picture: Picture) -> list[Finding]:
    factors = [painting.enlargement(picture, element) for element in elements if element.layer == "picture"]
    if not factors or max(factors) < LEAST_ENLARGEMENT:
        return []
    return [Finding("picture_enlarged", "picture", {"factor": round(max(factors), 2)})]


def _of_letters(texts: dict[str, str], fonts_folder: Path) -> list[Finding]:
    lacking = {slot: letters.missing(text, fonts_folder) for slot, text in texts.items()}
    return [Finding("letters_missing", slot, {"count": len(some)}) for slot, some in lacking.items() if some]


def _boxes(elements: list[Element]) -> dict[str, Rectangle]:
    """By slot what it covers, a text with its button."""
    return {element.slot: element.outer for element in elements if element.slot}
