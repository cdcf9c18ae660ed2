"""What the page of a kit's versions is given."""

from typing import Any

from app.brand_kits.snapshot import KitSnapshot
from app.brand_kits.versions.changes import Change, ChangedPart, Way
from app.brand_kits.versions.queries import VersionView
from app.brand_kits.view import LOGOS, ROLES, language_name
from app.errors import N_
from app.projects.models import Project

PARTS = {
    "colours": N_("Colours"),
    "logos": N_("Logos"),
    "fonts": N_("Fonts"),
    "font_roles": N_("Fonts of ads"),
    "awaited": N_("Awaited fonts"),
    "do_nots": N_("Don'ts"),
    "legal": N_("Legal lines"),
    "personas": N_("Personas"),
}
NAMES = {
    "colours": {role: name for role, name, _hint in ROLES},
    "logos": {kind: name for kind, (name, _hint) in LOGOS.items()},
    "font_roles": {"headline": N_("Headline"), "body": N_("All other words")},
}
"""Words for what a change is about, where it is a key."""


def versions_page(project: Project, kit: KitSnapshot, found: list[VersionView], more: int | None) -> dict[str, Any]:
    """``more`` is the number to go on from, None at the end."""
    return {
        "project": project,
        "kit": kit,
        "versions": found,
        "grouped": grouped,
        "more": more,
        "parts": PARTS,
        "names": NAMES,
        "language_name": language_name,
    }


def grouped(changes: list[Change]) -> dict[tuple[ChangedPart, Way], list[str]]:
    """What changed, by part and way, so that each is one line."""
    found: dict[tuple[ChangedPart, Way], list[str]] = {}
    for change in changes:
        found.setdefault((change.part, change.way), []).append(change.what)
    return found
