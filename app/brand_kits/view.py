"""What the page of a brand's look is given."""

from typing import Any

from babel import Locale, UnknownLocaleError

from app.brand_kits.files import MOST_FONT_MB, MOST_LOGO_MB
from app.brand_kits.guidelines.files import MOST_GUIDELINE_MB
from app.brand_kits.snapshot import (
    LOGO_KINDS,
    LONGEST_ABOUT,
    LONGEST_LICENCE,
    LONGEST_NAME,
    MOST_DO_NOTS,
    MOST_LOCALES,
    MOST_PERSONAS,
    Colours,
    Font,
    KitSnapshot,
    LegalLines,
    Logo,
)
from app.errors import N_
from app.projects.models import Project
from app.projects.service import MOST_COLOURS

FIRST_LOCALES = ("de", "en")
"""Languages whose fields are there from the start."""
ROLES = (
    ("primary", N_("Primary"), N_("Large areas, what people notice first")),
    ("accent", N_("Accent"), N_("Buttons, prices, small highlights")),
    ("ground", N_("Background"), N_("Behind text and logo")),
    ("text", N_("Text"), N_("Headlines and copy")),
)
LOGOS = {
    "light": (N_("For light backgrounds"), N_("Usually the dark or coloured logo.")),
    "dark": (N_("For dark backgrounds"), N_("Usually the white or light logo.")),
    "mono": (N_("One colour"), N_("For embossing, stamps and narrow strips.")),
}
LOGO_WIDTH, LOGO_HEIGHT = 184, 76
"""Pixels within which a logo is shown, its clear space not counted."""
READABLE = 4.5
"""Contrast that WCAG asks for."""
EMBEDDING = {
    0: N_("The font allows embedding."),
    2: N_("The font forbids embedding."),
    4: N_("The font allows embedding for viewing and printing."),
    8: N_("The font allows embedding in files that can be edited."),
}


def look_page(project: Project, kit: KitSnapshot, **others: Any) -> dict[str, Any]:
    """``kit`` is what is shown in the fields. ``others``: ``mine``, a look's form that came too late; ``theirs``, the
    kit that somebody else saved meanwhile; ``late``, the section whose form came too late; ``fresh``, whether one
    section is shown after it was saved; ``guideline``, one whose proposals wait."""
    usual: dict[str, Any] = {"mine": None, "theirs": None, "late": "", "fresh": False, "guideline": None}
    return usual | {
        "project": project,
        "kit": kit,
        "most_colours": MOST_COLOURS,
        "logo_kinds": LOGO_KINDS,
        "roles": ROLES,
        "logos": LOGOS,
        "logo_box": logo_box,
        "contrast": contrast(kit.colours),
        "readable": READABLE,
        "language_name": language_name,
        "languages": _languages(kit),
        "most_locales": MOST_LOCALES,
        "most_do_nots": MOST_DO_NOTS,
        "most_personas": MOST_PERSONAS,
        "embedding": embedding,
        "most_logo_mb": MOST_LOGO_MB,
        "most_font_mb": MOST_FONT_MB,
        "most_guideline_mb": MOST_GUIDELINE_MB,
        "longest": {"name": LONGEST_NAME, "about": LONGEST_ABOUT, "licence": LONGEST_LICENCE},
        **others,
    }


def _languages(kit: KitSnapshot) -> list[LegalLines]:
    """The lines of each language that has any, and empty ones of those that most need."""
    there = {lines.locale for lines in kit.legal}
    return sorted(
        [*kit.legal, *(LegalLines(locale=locale) for locale in FIRST_LOCALES if locale not in there)],
        key=lambda lines: (lines.locale not in FIRST_LOCALES, lines.locale),
    )


def embedding(font: Font) -> str:
    """What the font itself says about embedding, as a sentence to be translated."""
    bits = font.fs_type & 0xF
    strictest = next((bit for bit in (8, 4, 2) if bits & bit), 0)
    return EMBEDDING[strictest]


def logo_box(logo: Logo) -> dict[str, float]:
    """Width, height and clear space in pixels at which a logo is shown."""
    scale = min(LOGO_WIDTH / logo.width, LOGO_HEIGHT / logo.height)
    height = logo.height * scale
    return {"w": round(logo.width * scale, 1), "h": round(height, 1), "space": round(height * logo.clear_space, 1)}


def language_name(tag: str, locale: str) -> str:
    """A language in the reader's language; the tag itself where nobody knows it."""
    try:
        return Locale.parse(tag, sep="-").get_display_name(locale) or tag
    except (UnknownLocaleError, ValueError):
        return tag


def contrast(colours: Colours) -> float | None:
    """Of text on ground, as WCAG counts it: 1 to 21. None where one of them is not chosen."""
    if colours.text is None or colours.ground is None:
        return None
    dark, light = sorted((_luminance(colours.text), _luminance(colours.ground)))
    return round((light + 0.05) / (dark + 0.05), 1)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
