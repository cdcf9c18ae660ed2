"""Names of the fonts that a guideline is set in. Their files are never taken: a PDF holds a few letters of each."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pypdf.generic import DictionaryObject

from app.brand_kits.guidelines.reading.pdf import MOST_PAINTED, resolved
from app.brand_kits.guidelines.reading.rules import plain
from app.brand_kits.snapshot import LONGEST_NAME

MOST = 12
SUBSET = re.compile(r"^[A-Z]{6}\+")
STYLE = re.compile(
    r"[-, ]*(?:(?:extra|semi|demi|ultra)?[- ]?(?:thin|hairline|light|regular|medium|bold|black|heavy)"
    r"|italic|oblique|kursiv|condensed|narrow|expanded|variable)$",
    re.IGNORECASE,
)
FOUNDRY = re.compile(r"(?:PSMT|PS|MT|OTF|TTF)$")
BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def families_of(resources: Iterable[tuple[int, DictionaryObject]]) -> list[tuple[str, int]]:
    """Each embedded family and on how many pages it is used, the most used first."""
    pages: Counter[str] = Counter()
    for _page, one in resources:
        names = {_family(font) for font in _fonts(one)} - {""}
        pages.update(names)
    return sorted(pages.items(), key=lambda found: (-found[1], found[0].casefold()))[:MOST]


def _fonts(resources: DictionaryObject) -> list[DictionaryObject]:
    waiting, found, seen = [resources], list[DictionaryObject](), 0
    while waiting and seen < MOST_PAINTED:
        one = waiting.pop()
        for kind in ("/Font", "/XObject"):
            entries = resolved(one.get(kind))
            for entry in entries.values() if isinstance(entries, DictionaryObject) else ():
                seen += 1
                entry = resolved(entry)
                if isinstance(entry, DictionaryObject) and kind == "/Font":
                    found.append(entry)
                elif isinstance(entry, DictionaryObject) and len(waiting) < 100:
                    inner = resolved(entry.get("/Resources"))
                    waiting += [inner] if isinstance(inner, DictionaryObject) else []
    return found


def _family(font: DictionaryObject) -> str:
    """Empty for a font that is not embedded: a viewer chose it, not the brand."""
    inner = resolved(font.get("/DescendantFonts"))
    described: Any = resolved(inner[0]) if inner else font
    about = resolved(described.get("/FontDescriptor")) if isinstance(described, DictionaryObject) else None
    if not isinstance(about, DictionaryObject) or not {"/FontFile", "/FontFile2", "/FontFile3"} & about.keys():
        return ""
    told = about.get("/FontFamily")
    if isinstance(told, str) and plain(told):
        return plain(told)[:LONGEST_NAME]
    return clean_family(str(about.get("/FontName") or font.get("/BaseFont") or ""))


def clean_family(name: str) -> str:
    """``/ABCDEF+HankenGrotesk-SemiBold`` is ``Hanken Grotesk``."""
    family = SUBSET.sub("", plain(name.removeprefix("/"))[: 2 * LONGEST_NAME])
    family = FOUNDRY.sub("", family.partition("-")[0].partition(",")[0])
    family = " ".join(BORDER.sub(" ", family).replace("_", " ").split())
    while (shorter := STYLE.sub("", family)) and shorter != family:
        family = shorter
    return family[:LONGEST_NAME].strip()
