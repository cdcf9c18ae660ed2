"""What the page of a brief is given."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from babel import Locale, UnknownLocaleError
from sqlalchemy.orm import Session

from app.adapters import queries as adapters
from app.adapters.models import Adapter
from app.base_models.catalogue import UnknownBaseModel
from app.brand_kits import queries as kits
from app.errors import N_, AppError, NotFound
from app.generations.studio import base_in_use
from app.layouts import designs
from app.layouts.channels import Channel
from app.layouts.values import PROPORTION_CLASSES
from app.matrix import queries
from app.matrix.brief import LONGEST_ANSWER, LONGEST_NAME, MOST_AUDIENCES, Audience, Brief
from app.matrix.models import CampaignBrief
from app.matrix.pages.brief_forms import BLANK_AUDIENCES, Filled, offered_personas
from app.matrix.places import offered
from app.projects import queries as projects
from app.projects.models import Project
from app.web.gate.visitor import Visitor
from app.web.language import translate

GROUPS = {"tall": N_("Tall"), "square": N_("Square"), "wide": N_("Wide"), "strip": N_("Strips")}
LARGEST = 44
"""Pixels of the longer side of a channel's outline."""


def personas_of(session: Session, visitor: Visitor, project_id: str, brief: Brief | None) -> list[Audience]:
    kit = kits.current(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return offered_personas(kit.personas, brief)


def brief_fields(session: Session, visitor: Visitor, project: Project, filled: Filled, locale: str) -> dict[str, Any]:
    """What there is to choose from, and what is chosen."""
    workspace_id, chosen = visitor.workspace.id, set(filled.form.channels)
    drawing = [
        one
        for one in adapters.of_project(session, workspace_id=workspace_id, project_id=project.id)
        if one.modality == "image"
    ]
    blank = max(0, min(BLANK_AUDIENCES, MOST_AUDIENCES - len(filled.own)))
    return {
        "project": project,
        "filled": filled,
        "form": filled.form,
        "groups": _groups(list(offered(session, workspace_id=workspace_id)), chosen),
        "group_names": GROUPS,
        "outline": outline,
        "layouts": designs.layouts(),
        "adapters": drawing,
        "motif_example": _example(session, workspace_id, drawing, locale),
        "blank": blank,
        "longest": {"answer": LONGEST_ANSWER, "name": LONGEST_NAME},
        "language_name": language_name,
    }


def problem_of(error: AppError | None, locale: str) -> Mapping[str, str]:
    """The sentence of an error by the field that it is about, by ``form`` where it is about no single one; other fields
    have an empty one."""
    found: defaultdict[str, str] = defaultdict(str)
    if error is not None:
        found[error.field or "form"] = translate(locale, error.sentence, **error.params)
    return found


def changed_fields(session: Session, visitor: Visitor, row: CampaignBrief) -> dict[str, Any]:
    """The version that somebody else has saved meanwhile."""
    brief = queries.brief_of(row)
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=row.project_id)
    return {"theirs": brief, "their_number": row.number, "project": project}


def outline(channel: Channel) -> tuple[float, float]:
    """Width and height of the little frame in its true proportion, in pixels of the page."""
    scale = LARGEST / max(channel.width_px, channel.height_px) * (1.5 if channel.proportion == "strip" else 1)
    return round(max(4, channel.width_px * scale), 1), round(max(4, channel.height_px * scale), 1)


def language_name(tag: str, locale: str) -> str:
    try:
        return Locale.parse(tag, sep="-").get_display_name(locale) or tag
    except (ValueError, UnknownLocaleError):
        return tag


def _groups(channels: list[Channel], chosen: set[str]) -> list[tuple[str, list[Channel], int]]:
    """Channels by class of proportions, and how many of each are chosen."""
    ordered = sorted(channels, key=lambda one: PROPORTION_CLASSES.index(one.proportion))
    found = []
    for proportion, ones in groupby(ordered, key=lambda one: one.proportion):
        listed = list(ones)
        found.append((str(proportion), listed, sum(one.key in chosen for one in listed)))
    return found


def _example(session: Session, workspace_id: str, drawing: list[Adapter], locale: str) -> str:
    """A motif that the base model knows: the first of its suggestions."""
    newest = drawing[0].id if drawing else None
    try:
        base = base_in_use(session, workspace_id=workspace_id, adapter_id=newest, base_model=None)
    except (NotFound, UnknownBaseModel):
        base = base_in_use(session, workspace_id=workspace_id, adapter_id=None, base_model=None)
    return str((base.suggestions.de if locale == "de" else base.suggestions.en)[0])
