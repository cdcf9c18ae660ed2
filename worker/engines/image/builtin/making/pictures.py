"""The pictures the built-in model learns from: icons rendered from SVG, outlined and painted.

A *concept* is what a picture shows, a *style* how: one icon set, a set with outlines, or icons of one colour.
"""

import io
import json
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import resvg_py
from PIL import Image

from worker.engines.image.builtin.making.concepts import Concept, icon_finder
from worker.engines.image.builtin.making.icon_sets import (
    MOST_OF_A_STYLE,
    OUTLINED,
    SOURCES,
    PicturesError,
    Source,
    icons_of,
    read,
)

SIDE = 128


@dataclass(frozen=True)
class Ink:
    """A colour as SVG writes it, and its words, German uninflected."""

    colour: str
    english: str
    german: str


OUTLINES = (
    Ink("#26262e", "dark", "dunkel"),
    Ink("#3b2a20", "dark brown", "dunkelbraun"),
    Ink("#17324a", "navy", "marineblau"),
    Ink("#000000", "black", "schwarz"),
    Ink("#4a1f3d", "purple", "lila"),
    Ink("#4d4d55", "dark grey", "dunkelgrau"),
    Ink("#6b6b6b", "grey", "grau"),
    Ink("#5a4632", "brown", "braun"),
    Ink("#2f4f7a", "blue", "blau"),
    Ink("#7a3b2e", "red brown", "rotbraun"),
    Ink("#2e5a3f", "green", "grün"),
)
INKS = (
    *OUTLINES,
    Ink("#c8282d", "red", "rot"),
    Ink("#ea7d1e", "orange", "orange"),
    Ink("#f2b81f", "yellow", "gelb"),
    Ink("#159a92", "turquoise", "türkis"),
    Ink("#2b6be4", "bright blue", "leuchtend blau"),
    Ink("#36a852", "bright green", "leuchtend grün"),
    Ink("#7b3fc4", "violet", "violett"),
    Ink("#e0559a", "pink", "rosa"),
)
"""What icons of one colour are painted with."""
VARIED = (
    "outlined-fluent-emoji-flat",
    "outlined-twemoji",
    "icon-park",
    "hand-drawn",
    "duotone",
    "silhouette",
    "line",
    "stencil",
)
"""Styles whose ink varies where a picture is moved; its plain placement has the style's own. Captions name the colour
of the varied ones, so that nobody gets them unasked and adapters still find lines and shapes of many colours."""
OWN_INK = {"icon-park": "#2F88FF", "streamline-freehand-color": "#0c6fff"}
"""The one colour, beside black and white, of sets that have one."""
OUTLINE_WIDTH = (0.022, 0.016, 0.028)  # of the icon's longer edge


@dataclass(frozen=True)
class Picture:
    """One icon of one set in a style; for the autoencoder alone the style is the set's name, outlined or not."""

    style: str
    icon_set: str
    icon: str
    concept: str | None


def catalogue(
    cache: Path, styles: Iterable[str], known: dict[str, Concept], most: int = MOST_OF_A_STYLE
) -> list[Picture]:
    """Icons that draw the known concepts in these styles (keys of `SOURCES`, or sets), in a stable order.

    Of a style's sources the first ones that know a concept draw it, at most `most`.
    """
    pictures: list[Picture] = []
    for style in styles:
        sources = SOURCES.get(style, (Source(style.removeprefix(OUTLINED)),))
        finders = [(source.icon_set, icon_finder(cache, source)) for source in sources]
        for concept in known.values():
            found = [(icon_set, icon) for icon_set, find in finders if (icon := find(concept)) is not None]
            pictures += [Picture(style, icon_set, icon, concept.key) for icon_set, icon in found[:most]]
    return pictures


def outlined(body: str, width: float, height: float, kind: int = 0) -> str:
    """The body with an outline round every shape that has none; kinds differ in colour and width."""
    thick = max(width, height) * OUTLINE_WIDTH[kind % len(OUTLINE_WIDTH)]
    colour = OUTLINES[kind % len(OUTLINES)].colour
    return f'<g stroke="{colour}" stroke-width="{thick:.3f}" stroke-linejoin="round">{body}</g>'


def painted(body: str, picture: Picture, place: int) -> str:
    """The body with the picture's ink in this placement: as the outline, or in place of the set's one colour."""
    colour = ink_of(picture, place).colour
    body = body.replace("currentColor", colour)
    if place > 0 and picture.style in VARIED and picture.icon_set in OWN_INK:
        body = body.replace(OWN_INK[picture.icon_set], colour)
    return body


def ink_of(picture: Picture, place: int) -> Ink:
    """The ink of a picture in a placement; of a style's own where it is not moved."""
    inks = OUTLINES if picture.style.startswith(OUTLINED) else INKS
    return inks[ink_kind(picture, place) % len(inks)]


def ink_kind(picture: Picture, place: int) -> int:
    """A number that says which ink a picture has in a placement."""
    return 0 if place == 0 and picture.style in VARIED else zlib.crc32(picture.icon.encode()) + place


def every_icon(cache: Path, icon_set: str) -> list[Picture]:
    """All icons of a set, without a concept (for the autoencoder)."""
    return [Picture(icon_set, icon_set, icon, None) for icon in sorted(icons_of(cache, icon_set))]


def _body(data: dict, icon: str) -> tuple[str, float, float]:
    entry = data["icons"][icon]
    width = entry.get("width", data.get("width", 16))
    height = entry.get("height", data.get("height", 16))
    return entry["body"], float(width), float(height)


def render(
    body: str, width: float, height: float, side: int = SIDE, fill: float = 0.84, dx: float = 0.0, dy: float = 0.0
):
    """Draw an SVG body on a transparent square.

    Returns uint8 (side, side, 4), not premultiplied; the icon's longer edge takes `fill` of the square and is moved by
    (dx, dy) parts of the square. Returns None where the renderer cannot draw it (it panics on some filters).
    """
    box = max(width, height) / fill
    left, top = (width - box) / 2 - dx * box, (height - box) / 2 - dy * box
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{side}" '
        f'height="{side}" viewBox="{left} {top} {box} {box}">{body}</svg>'
    )
    try:
        png = bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True))
    except BaseException as error:  # the renderer's panics are no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return None
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    return pixels if pixels.shape == (side, side, 4) and pixels[..., 3].mean() > 8 else None


def placements(variants: int, seed: int = 0) -> list[tuple[float, float, float]]:
    """(fill, dx, dy) per variant: the first is the plain one, the others are moved and scaled a little."""
    rng = np.random.default_rng(seed)
    moved = [
        (float(rng.uniform(0.72, 0.94)), float(rng.uniform(-0.04, 0.04)), float(rng.uniform(-0.04, 0.04)))
        for _ in range(variants - 1)
    ]
    return [(0.84, 0.0, 0.0), *moved]


def _render_some(
    job: tuple[Path, list[Picture], list[tuple[float, float, float]]],
) -> list[np.ndarray | None]:
    """The variants of pictures of one set."""
    cache, pictures, places = job
    data = read(cache, pictures[0].icon_set, "icons.json")
    drawn: list[np.ndarray | None] = []
    for picture in pictures:
        body, width, height = _body(data, picture.icon)
        bodies = [painted(body, picture, place) for place in range(len(places))]
        if picture.style.startswith(OUTLINED):
            bodies = [outlined(b, width, height, ink_kind(picture, place)) for place, b in enumerate(bodies)]
        variants = [render(b, width, height, fill=f, dx=x, dy=y) for b, (f, x, y) in zip(bodies, places, strict=True)]
        drawn.append(None if any(v is None for v in variants) else np.stack(variants))  # type: ignore[arg-type]
    return drawn


def render_all(
    cache: Path, pictures: Iterable[Picture], variants: int, processes: int = 2
) -> Iterator[tuple[Picture, np.ndarray]]:
    """Render picture by picture: those that could be drawn, each with its uint8 (variants, SIDE, SIDE, 4)."""
    places = placements(variants)
    by_set: dict[tuple[str, str], list[Picture]] = {}
    for picture in pictures:
        by_set.setdefault((picture.style, picture.icon_set), []).append(picture)
    parts = [members[n : n + 32] for members in by_set.values() for n in range(0, len(members), 32)]
    with ProcessPoolExecutor(processes) as pool:
        for first in range(0, len(parts), 4 * processes):  # all at once they would wait in memory
            some = parts[first : first + 4 * processes]
            for part, drawn in zip(some, pool.map(_render_some, [(cache, p, places) for p in some]), strict=True):
                for picture, image in zip(part, drawn, strict=True):
                    if image is not None:
                        yield picture, image


def save(folder: Path, name: str, rendered: Iterable[tuple[Picture, np.ndarray]]) -> list[Picture]:
    """Write `<name>.npy`, uint8 (pictures, variants, h, w, 4), and `<name>.json` for `load`, one picture after the
    other: all of them do not fit in memory. Returns the pictures. Raises PicturesError where there are none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[Picture] = []
    with (folder / f"{name}.npy").open("wb") as file:
        for picture, image in rendered:
            if not kept:
                _write_header(file, 0, image.shape)
            file.write(np.ascontiguousarray(image, np.uint8).tobytes())
            kept.append(picture)
        if not kept:
            raise PicturesError(f"no pictures to write as {name!r}")
        file.seek(0)
        _write_header(file, len(kept), image.shape)
    (folder / f"{name}.json").write_text(json.dumps([[p.style, p.icon_set, p.icon, p.concept] for p in kept]))
    return kept


def _write_header(file: IO[bytes], count: int, shape: tuple[int, ...]) -> None:
    """The header has room for any length of the first axis, so that it can be written again when that is known."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)


def load(folder: Path, name: str) -> tuple[list[Picture], np.ndarray]:
    """What `save` wrote; the pixels stay on disk (memory-mapped). Raises PicturesError if there is nothing."""
    if not (folder / f"{name}.json").exists():
        raise PicturesError(f"no pictures {name!r} in {folder}; run the pictures command first")
    rows = json.loads((folder / f"{name}.json").read_text())
    return [Picture(*row) for row in rows], np.load(folder / f"{name}.npy", mmap_mode="r")
