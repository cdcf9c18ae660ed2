"""What the page of a brand's look is given."""

from typing import Any

from app.brand_kits.files import MOST_FONT_MB, MOST_LOGO_MB
from app.brand_kits.snapshot import (
    CLEAR_SPACE,
    LEAST_WIDTH,
    LOGO_KINDS,
    LONGEST_ABOUT,
    LONGEST_LICENCE,
    LONGEST_NAME,
    MOST_DO_NOTS,
    MOST_LOCALES,
    MOST_PERSONAS,
    ROLES,
    Font,
    KitSnapshot,
    LegalLines,
)
from app.errors import N_
from app.projects.models import Project
from app.projects.service import MOST_COLOURS

FIRST_LOCALES = ("de", "en")
"""Languages whose fields are there from the start."""
EMBEDDING = {
    0: N_("The font allows embedding."),
    2: N_("The font forbids embedding."),
    4: N_("The font allows embedding for viewing and printing."),
    8: N_("The font allows embedding in files that can be edited."),
}


def look_page(project: Project, kit: KitSnapshot, **others: Any) -> dict[str, Any]:
    """``kit`` is what is shown in the fields. ``others``: ``mine``, a look's form that came too late; ``theirs``, the
    kit that somebody else saved meanwhile, and ``late``, the section whose form came too late."""
    usual: dict[str, Any] = {"mine": None, "theirs": None, "late": ""}
    return usual | {
        "project": project,
        "kit": kit,
        "most_colours": MOST_COLOURS,
        "logo_kinds": LOGO_KINDS,
        "roles": ROLES,
        "languages": _languages(kit),
        "most_locales": MOST_LOCALES,
        "most_do_nots": MOST_DO_NOTS,
        "most_personas": MOST_PERSONAS,
        "embedding": embedding,
        "most_logo_mb": MOST_LOGO_MB,
        "most_font_mb": MOST_FONT_MB,
        "usual_placing": {"clear_space": CLEAR_SPACE, "least_width": LEAST_WIDTH},
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
