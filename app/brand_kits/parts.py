"""Parts of a kit as somebody sent them, made fit to keep."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.brand_kits.errors import KitLineTooLong, KitTooFull, NoSuchFamily, NotInPalette
from app.brand_kits.snapshot import (
    LONGEST_DO_NOT,
    LONGEST_LINE,
    LONGEST_NAME,
    MOST_AWAITED,
    MOST_DO_NOTS,
    MOST_LINES,
    MOST_LOCALES,
    MOST_PERSONAS,
    ROLES,
    Colours,
    KitSnapshot,
    LegalLines,
    Persona,
)


def check_palette(wanted: Colours, before: Colours, palette: list[str]) -> None:
    """A colour that had its role before may keep it after it left the palette."""
    for role in ROLES:
        colour = getattr(wanted, role)
        if colour is not None and colour not in palette and colour != getattr(before, role):
            raise NotInPalette(colour=colour)


def check_families(wanted: KitSnapshot, before: KitSnapshot) -> None:
    """A family that had its role before may keep it after its files were removed."""
    for role in ("headline", "body"):
        family = getattr(wanted.font_roles, role)
        if family is not None and family not in wanted.families and family != getattr(before.font_roles, role):
            raise NoSuchFamily(family=family)


def tidied(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing; each language once, by its tag. Raises ``KitTooFull``, ``KitLineTooLong``."""
    found = dict(parts)
    if "do_nots" in found:
        found["do_nots"] = _lines(found["do_nots"], MOST_DO_NOTS, LONGEST_DO_NOT)
    if "awaited" in found:
        found["awaited"] = _lines(found["awaited"], MOST_AWAITED, LONGEST_NAME)
    if "personas" in found:
        personas: Sequence[Persona] = found["personas"]
        found["personas"] = tuple(one for one in personas if one.name)
        _check_count(len(found["personas"]), MOST_PERSONAS)
    if "legal" in found:
        lines: Sequence[LegalLines] = found["legal"]
        said = {
            one.locale: LegalLines(
                locale=one.locale,
                legal=_lines(one.legal, MOST_LINES, LONGEST_LINE),
                disclaimers=_lines(one.disclaimers, MOST_LINES, LONGEST_LINE),
            )
            for one in lines
        }
        found["legal"] = tuple(
            said[locale] for locale in sorted(said) if said[locale].legal or said[locale].disclaimers
        )
        _check_count(len(found["legal"]), MOST_LOCALES)
    return found


def _lines(lines: Sequence[str], most: int, longest: int) -> tuple[str, ...]:
    kept = tuple(dict.fromkeys(line for line in lines if line))
    _check_count(len(kept), most)
    for line in kept:
        if len(line) > longest:
            raise KitLineTooLong(start=line[:30], most=longest)
    return kept


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise KitTooFull(most=most)
