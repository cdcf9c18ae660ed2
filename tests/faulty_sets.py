"""Sets of 30 pictures with planted faults, for the diagnosis of a set: 18 sound ones, 6 near-twins, 3 blurred, 2 with a
watermark and 1 of another style.

What proves is made of the drawings of the demo brand and those kept back from it (CC BY 4.0); what the bounds were
chosen on is made of shapes drawn here, with other ways of being alike and of another style.
"""

import io
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

DATA = Path(__file__).parent / "data"
FONTS = ("LiberationSans-Bold.ttf", "LiberationSerif-Regular.ttf", "LiberationSans-Regular.ttf")
SIDE = 512
COLOURS = ("#d9472b", "#f2b134", "#3a7d44", "#2b59c3", "#7a4a9e", "#5bc0be", "#e58fb1", "#333333", "#e8e8e8")
SOUND, TWINS, BLURRED, MARKED = 18, 6, 3, 2


@dataclass(frozen=True)
class Planted:
    """A picture of a set. ``fault`` is "", "twin", "blurry", "lettering" or "odd"; ``twin_of`` a place in the set."""

    picture: Image.Image
    fault: str = ""
    twin_of: int | None = None


def proving_set(seed: int) -> list[Planted]:
    """Of drawings, in another order for each seed."""
    rng = random.Random(seed)
    paths = sorted((*DATA.glob("brand/*.png"), *DATA.glob("brand_held_out/*.png")))
    drawings = [Image.open(path).convert("RGB") for path in rng.sample(paths, SOUND + BLURRED + MARKED + 1)]
    return _planted(rng, drawings, rng.choice((_photograph, _sketch)), cuts=(0.02, 0.06))


def choosing_set(seed: int) -> list[Planted]:
    """Of drawn shapes; nothing in it is in a set that proves."""
    rng = random.Random(10_000 + seed)
    drawings = [_shapes(rng) for _ in range(SOUND + BLURRED + MARKED + 1)]
    return _planted(rng, drawings, rng.choice((_hatched, _clouds)), cuts=(0.0, 0.07))


def _planted(rng, drawings, foreign, cuts) -> list[Planted]:  # type: ignore[no-untyped-def]
    sound, rest = drawings[:SOUND], drawings[SOUND:]
    found = [Planted(one) for one in sound]
    found += [Planted(_nearly(rng, sound[at], cuts), "twin", at) for at in rng.sample(range(SOUND), TWINS)]
    found += [Planted(one.filter(ImageFilter.GaussianBlur(rng.uniform(3.0, 7.0))), "blurry") for one in rest[:BLURRED]]
    found += [Planted(_marked(rng, one), "lettering") for one in rest[BLURRED : BLURRED + MARKED]]
    return [*found, Planted(foreign(rng, rest[-1]), "odd")]


def _nearly(rng: random.Random, picture: Image.Image, cuts: tuple[float, float]) -> Image.Image:
    """Cut a little, mirrored or not, a little lighter or darker, and saved as JPEG."""
    cut = round(SIDE * rng.uniform(*cuts))
    seen = picture.crop((cut, cut, SIDE - cut, SIDE - cut)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        seen = ImageOps.mirror(seen)
    seen = ImageEnhance.Brightness(seen).enhance(rng.uniform(0.92, 1.08))
    file = io.BytesIO()
    seen.save(file, "JPEG", quality=rng.randint(80, 95))
    return Image.open(file).convert("RGB")


def _marked(rng: random.Random, picture: Image.Image) -> Image.Image:
    words = rng.choice(("SAMPLE", "Stockphoto", "preview copy", "© Example Images", "DO NOT COPY"))
    layer = Image.new("RGBA", picture.size)
    font = ImageFont.truetype(rng.choice(FONTS), rng.randint(30, 54))
    at = (SIDE // 2 + rng.randint(-40, 40), rng.choice((50, SIDE // 2, SIDE - 50)))
    ImageDraw.Draw(layer).text(at, words, (90, 90, 90, rng.randint(130, 200)), font, anchor="mm")
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _noise(rng: random.Random, sides: tuple[int, ...]) -> np.ndarray:
    numbers = np.random.default_rng(rng.randrange(2**32))
    total = np.zeros((SIDE, SIDE, 3))
    for side in sides:
        part = Image.fromarray((numbers.random((side, side, 3)) * 255).astype(np.uint8))
        total += np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float) / len(sides)
    return total


def _photograph(rng: random.Random, _: Image.Image) -> Image.Image:
    """Ground without an outline, of many tones, with grain."""
    return Image.fromarray(np.clip((_noise(rng, (4, 16, 64, 512)) - 128) * 1.6 + 110, 0, 255).astype(np.uint8))


def _sketch(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Grey lines on paper."""
    lines = ImageOps.invert(picture.convert("L").filter(ImageFilter.FIND_EDGES))
    paper = np.asarray(lines, float)[..., None] * np.array([0.93, 0.9, 0.82]) + (_noise(rng, (256,)) - 128) * 0.12
    return Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))


def _hatched(rng: random.Random, _: Image.Image) -> Image.Image:
    page = Image.new("RGB", (SIDE, SIDE), "#e8e0d0")
    draw = ImageDraw.Draw(page)
    for at in range(-SIDE, SIDE, rng.randint(6, 12)):
        draw.line((at, 0, at + SIDE, SIDE), "#404040", 2)
    return page


def _clouds(rng: random.Random, _: Image.Image) -> Image.Image:
    return Image.fromarray(np.clip((_noise(rng, (6, 24, 128)) - 128) * 2 + 128, 0, 255).astype(np.uint8))


def _shapes(rng: random.Random) -> Image.Image:
    """From one to nine filled shapes with dark outlines and some details, of few or many colours, large or small."""
    page = Image.new("RGB", (SIDE, SIDE), "#ffffff")
    draw = ImageDraw.Draw(page)
    colours = rng.sample(COLOURS, rng.randint(1, 4))
    line = rng.randint(4, 10)
    for _ in range(rng.randint(1, 9)):
        x, y, r = rng.randint(110, 400), rng.randint(110, 400), rng.randint(20, 110) * rng.uniform(0.6, 1.4)
        fill = rng.choice(colours)
        match rng.randrange(4):
            case 0:
                draw.ellipse((x - r, y - r * 0.7, x + r, y + r * 0.7), fill, "#222222", line)
            case 1:
                draw.rounded_rectangle((x - r, y - r * 0.6, x + r, y + r * 0.6), 16, fill, "#222222", line)
            case 2:
                draw.regular_polygon((x, y, r), rng.randint(3, 7), rng.randint(0, 90), fill, "#222222")
            case _:
                draw.line((x - r, y - r, x + r, y + r * rng.uniform(-1, 1)), fill, line * 2)
    for _ in range(rng.randint(0, 12)):
        x, y = rng.randint(110, 400), rng.randint(110, 400)
        draw.ellipse((x, y, x + line * 2, y + line * 2), rng.choice(colours))
    return page
