"""Words, pictures, colours and logos to try layouts with: short and very long, and from right to left."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from app.layouts.values import Colours, Locale, Slots

BRAND = Path(__file__).parents[1] / "data" / "brand"
COLOURS = Colours(primary="#1f3d7a", accent="#f2a33a", ground="#fbf8f3", text="#151a26")
LONG = {
    "headline": "Donaudampfschifffahrtsgesellschaft feiert hundertfünfzig Jahre auf dem Fluss, und alle fahren mit",
    "body": "Von Passau bis Wien, mit Musik an Deck, Frühstück über dem Wasser und einem Platz für jedes Fahrrad. "
    "Kinder bis vierzehn Jahre fahren den ganzen Sommer umsonst.",
}
WORDS = {
    "de": {
        "headline": "Der Sommer beginnt am Wasser",
        "body": "Drei Tage Segeln lernen, mit allem, was dazugehört.",
        "call_to_action": "Platz sichern",
        "badge": "Ab 149 €",
        "legal": "Gültig bis 31. August, solange Plätze frei sind.",
        "ai_label": "Mit KI erstellt",
    },
    "en": {
        "headline": "Made for mornings",
        "body": "Slow roasted, small batches, delivered by Thursday.",
        "call_to_action": "Taste it",
        "badge": "New",
        "legal": "Offer ends 31 August. While stocks last.",
        "ai_label": "Made with AI",
    },
    "ar": {
        "headline": "صيف جديد يبدأ من البحر",
        "body": "ثلاثة أيام لتعلم الإبحار مع كل ما تحتاجه.",
        "call_to_action": "احجز مكانك",
        "badge": "عرض جديد",
        "legal": "العرض سار حتى نهاية أغسطس.",
        "ai_label": "صنع بالذكاء الاصطناعي",
    },
    "he": {
        "headline": "הקיץ מתחיל על המים",
        "body": "שלושה ימים של שיט, עם כל מה שצריך.",
        "call_to_action": "שמרו מקום",
        "badge": "חדש",
        "legal": "בתוקף עד סוף אוגוסט.",
        "ai_label": "נוצר בעזרת בינה מלאכותית",
    },
}


def logo(colour: str) -> bytes:
    """A plain word mark as SVG: a ring with a sail in it, and bars of letters."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 48" width="150" height="48">'
        f'<g fill="{colour}">'
        '<path d="M24 2a22 22 0 1 0 0 44 22 22 0 0 0 0-44zm0 5a17 17 0 1 1 0 34 17 17 0 0 1 0-34z"/>'
        '<path d="M22 13v20H12zM26 17l9 16h-9z"/>'
        '<path d="M60 10h6l10 17V10h6v28h-6L66 21v17h-6zM92 10h20v6H98v5h12v6H98v5h14v6H92zM120 10h6v22h14v6h-20z"/>'
        "</g></svg>"
    ).encode()


def landscape(seed: int = 3, size: tuple[int, int] = (1600, 1600)) -> bytes:
    """Hills in evening haze under a low sun, as a JPEG: light above, dark below, and busy in between."""
    width, height = size
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    share = (y / height)[..., None]
    sky_top, sky_low = np.array([58, 92, 150]), np.array([250, 190, 140])
    picture = sky_top * (1 - share) ** 1.4 + sky_low * (1 - (1 - share) ** 1.4)
    sun = np.exp(-(((x - 0.62 * width) ** 2 + (y - 0.44 * height) ** 2) / (2 * (0.11 * width) ** 2)))
    picture += sun[..., None] * np.array([90, 70, 30])
    for i in range(5):
        phase, waves = chance.uniform(0, 6, 4), np.array([1.1, 2.7, 6.1, 13.0]) * (1 + 0.25 * i)
        heights = sum(
            np.sin(x[0] / width * wave * 3.1 + one) / wave for wave, one in zip(waves, phase, strict=True)
        ) * (0.055 * height)
        line = (0.5 + 0.105 * i) * height + heights
        tone = np.array([196, 140, 128]) * (1 - i / 4.6) + np.array([24, 32, 52]) * (i / 4.6)
        edge = np.clip((y - line) / 1.5, 0, 1)[..., None]
        haze = np.exp(-np.clip(y - line, 0, None) / (0.16 * height))[..., None] * 24
        picture = picture * (1 - edge) + (tone + haze * (1 - i / 5)) * edge
    picture += chance.normal(0, 3.2, (height, width, 1))
    return _jpeg(picture)


def still_life(seed: int = 5, size: tuple[int, int] = (1400, 1750)) -> bytes:
    """Soft spheres on a bright table, as a JPEG: a studio photograph with much light ground."""
    width, height = size
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    table = np.clip((y / height - 0.58) / 0.06, 0, 1)[..., None]
    light = 1 - 0.22 * np.hypot(x / width - 0.3, y / height - 0.2)[..., None]
    picture = (np.array([236, 226, 214]) * (1 - table) + np.array([214, 196, 178]) * table) * light
    for at_x, at_y, radius, colour in (
        (0.36, 0.56, 0.19, (206, 88, 62)),
        (0.63, 0.6, 0.15, (232, 170, 70)),
        (0.5, 0.68, 0.1, (74, 112, 104)),
    ):
        cx, cy, r = at_x * width, at_y * height, radius * width
        shadow = np.exp(-(((x - cx - 0.35 * r) / (1.5 * r)) ** 2 + ((y - cy - 0.95 * r) / (0.28 * r)) ** 2))
        picture *= 1 - 0.5 * shadow[..., None]
        inside = np.clip(r - np.hypot(x - cx, y - cy), 0, 1.5)[..., None] / 1.5
        shine = np.clip(1 - np.hypot(x - cx + 0.38 * r, y - cy + 0.42 * r) / (1.55 * r), 0, 1)[..., None]
        picture = picture * (1 - inside) + np.array(colour) * (0.36 + 0.86 * shine) * inside
    picture += chance.normal(0, 2.4, (height, width, 1))
    return _jpeg(picture)


def _jpeg(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    image.filter(ImageFilter.GaussianBlur(0.8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def illustration(name: str = "sailboat") -> bytes:
    return (BRAND / f"{name}.png").read_bytes()


def slots(language: str, picture: bytes, *, focus: tuple[float, float] = (0.5, 0.5), **changes: str) -> Slots:
    """An ad's content in a language, with both logos."""
    marks = {"logo_on_light": logo(COLOURS.text), "logo_on_dark": logo("#ffffff")}
    return Slots(picture=picture, focus=focus, **marks, **{**WORDS[language], **changes})  # type: ignore[arg-type]


def locale(language: str) -> Locale:
    return Locale(language)
