"""The reader of brand guidelines: what a disposable process runs. Nothing else imports this module."""

import logging
from dataclasses import asdict, fields
from typing import Any

from app.brand_kits.guidelines.errors import NothingFound
from app.brand_kits.guidelines.reading import rules
from app.brand_kits.guidelines.reading.colours import colours_of
from app.brand_kits.guidelines.reading.families import families_of
from app.brand_kits.guidelines.reading.pdf import opened, read_pages, told
from app.brand_kits.guidelines.reading.pictures import FoundLogo, logos_of

logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def guideline(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """What a PDF proposes; of each logo its content and preview as blobs.

    Raises what ``pdf.opened`` and ``pdf.read_pages`` raise, and ``NothingFound``.
    """
    name = question["name"]
    document = opened(blobs[0], name)
    pages = read_pages(document, name)
    with told(name):
        families, logos = families_of(pages.resources), logos_of(pages.resources)
    colours, inks = colours_of(pages.texts, pages.painted)
    said = {rule.text.casefold(): rule for page, text in pages.texts for rule in rules.rules_of(text, page)}
    found = {
        "pages": pages.count,
        "pages_read": pages.read,
        "colours": [asdict(one) for one in colours],
        "inks": inks,
        "families": [{"name": family, "pages": count} for family, count in families],
        "rules": [asdict(one) for one in list(said.values())[: rules.MOST]],
        "logos": [_logo(one) for one in logos],
    }
    if not any(found[kind] for kind in ("colours", "families", "rules", "logos")):
        raise NothingFound(name=name)
    return found, [blob for one in logos for blob in (one.logo.content, one.logo.preview)]


def _logo(found: FoundLogo) -> dict[str, Any]:
    facts = {one.name: getattr(found.logo, one.name) for one in fields(found.logo) if one.repr}
    return facts | {"pages": found.pages}
