"""What one version of a kit changed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from app.brand_kits.snapshot import LOGO_KINDS, ROLES, KitSnapshot

ChangedPart = Literal["colours", "logos", "fonts", "font_roles", "awaited", "do_nots", "legal", "personas"]
Way = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Change:
    """``what`` names the thing within its part: a role, a kind of logo, a font, a language, a name or a line."""

    part: ChangedPart
    way: Way
    what: str


def changes(before: KitSnapshot, after: KitSnapshot) -> list[Change]:
    """Everything that differs, in the order in which the page of the kit shows it."""
    return [
        *_told("colours", _roles(before), _roles(after), ROLES),
        *_told("logos", {one.kind: one for one in before.logos}, {one.kind: one for one in after.logos}, LOGO_KINDS),
        *_told("fonts", _fonts(before), _fonts(after)),
        *_told("font_roles", _font_roles(before), _font_roles(after)),
        *_told("awaited", dict.fromkeys(before.awaited), dict.fromkeys(after.awaited)),
        *_told("do_nots", dict.fromkeys(before.do_nots), dict.fromkeys(after.do_nots)),
        *_told("legal", {one.locale: one for one in before.legal}, {one.locale: one for one in after.legal}),
        *_told("personas", {one.name: one for one in before.personas}, {one.name: one for one in after.personas}),
    ]


def _told(
    part: ChangedPart, before: dict[str, object], after: dict[str, object], order: Iterable[str] = ()
) -> Iterator[Change]:
    for what in dict.fromkeys((*order, *before, *after)):
        if what in before and what not in after:
            yield Change(part, "removed", what)
        elif what in after and what not in before:
            yield Change(part, "added", what)
        elif what in after and before[what] != after[what]:
            yield Change(part, "changed", what)


def _roles(kit: KitSnapshot) -> dict[str, object]:
    return {role: colour for role, colour in kit.colours.model_dump().items() if colour is not None}


def _font_roles(kit: KitSnapshot) -> dict[str, object]:
    return {role: family for role, family in kit.font_roles.model_dump().items() if family is not None}


def _fonts(kit: KitSnapshot) -> dict[str, object]:
    """By family and style; two files may bear the same name."""
    found: dict[str, object] = {}
    for font in kit.fonts:
        name = f"{font.family} {font.style}"
        found[name if name not in found else f"{name} ({font.sha256[:8]})"] = font
    return found
