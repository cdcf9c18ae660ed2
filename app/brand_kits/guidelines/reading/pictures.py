"""Pictures of a guideline that may be its logo: few colours, or cut out, and no photograph."""

import io
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image as Pixels
from pypdf.generic import DictionaryObject, StreamObject

from app.brand_kits.guidelines.reading.pdf import BROKEN, pictures_of, resolved
from app.brand_kits.reading.logos import ReadLogo, read_logo
from app.errors import AppError

MOST = 12
MOST_DECODED = 60
MOST_PIXELS = 9_000_000
"""Of one picture; its bytes then stay below what a stream may unpack to."""
LEAST_SIDE = 64
MOST_PROPORTION = 12
SECONDS = 15.0
SIDE = 96
"""Pixels at which colours are counted."""
FEW_COLOURS, MOSTLY = 6, 0.9
"""So many colours cover so much of a drawing; of a photograph they do not."""
STARTS_A_PROGRAM = "/JBIG2Decode"


@dataclass
class FoundLogo:
    logo: ReadLogo
    pages: list[int] = field(default_factory=list)


def logos_of(resources: Iterable[tuple[int, DictionaryObject]]) -> list[FoundLogo]:
    """What is used on most pages first. A picture that cannot be decoded is left out."""
    used: dict[int, tuple[StreamObject, list[int]]] = {}
    for page, one in resources:
        for number, picture in pictures_of(one):
            pages = used.setdefault(number, (picture, []))[1]
            if page not in pages:
                pages.append(page)
    begin, found = time.process_time(), dict[str, FoundLogo]()
    candidates = [entry for entry in used.values() if _may_be_one(entry[0])]
    for picture, pages in sorted(candidates, key=lambda entry: -len(entry[1]))[:MOST_DECODED]:
        if len(found) == MOST or time.process_time() - begin > SECONDS:
            break
        logo = _read(picture)
        if logo is not None:
            known = found.setdefault(logo.sha256, FoundLogo(logo))
            known.pages = sorted({*known.pages, *pages})
    return list(found.values())


def _may_be_one(picture: StreamObject) -> bool:
    try:
        width, height = int(resolved(picture.get("/Width", 0))), int(resolved(picture.get("/Height", 0)))
    except (TypeError, ValueError):
        return False
    packed = resolved(picture.get("/Filter"))
    if packed == STARTS_A_PROGRAM or (isinstance(packed, list) and STARTS_A_PROGRAM in packed):
        return False
    short, long = sorted((width, height))
    return long >= LEAST_SIDE and 0 < short * MOST_PROPORTION >= long and width * height <= MOST_PIXELS


def _read(picture: StreamObject) -> ReadLogo | None:
    content = io.BytesIO()
    try:
        drawn = picture.decode_as_image()
        if drawn is None or drawn.width * drawn.height > MOST_PIXELS:
            return None
        drawn = drawn.convert("RGBA")
        if not _is_drawn(drawn):
            return None
        drawn.save(content, "PNG")
        return read_logo(content.getvalue(), "logo.png")
    except (
        AppError,
        MemoryError,
        RecursionError,
        SyntaxError,
        ArithmeticError,
        Pixels.DecompressionBombError,
        *BROKEN,
    ):
        return None


def _is_drawn(picture: Pixels.Image) -> bool:
    """Whether few colours cover most of what it shows."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Pixels.Resampling.NEAREST)
    seen = [colour for colour in small.get_flattened_data() if isinstance(colour, tuple) and colour[3] > 127]
    if not seen:
        return False
    counts: dict[tuple[int, ...], int] = {}
    for red, green, blue, _alpha in seen:
        key = (red >> 5, green >> 5, blue >> 5)
        counts[key] = counts.get(key, 0) + 1
    most = sorted(counts.values(), reverse=True)
    is_plain = len(most) == 1 and len(seen) == small.width * small.height
    return not is_plain and sum(most[:FEW_COLOURS]) >= MOSTLY * len(seen)
