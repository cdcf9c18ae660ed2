"""What may happen to the cells of a matrix. A cell is never changed: it gets a further version, and one act's versions
are one job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand_kits import queries as kits
from app.brand_kits.snapshot import LegalLines
from app.campaigns import queries as campaigns
from app.db import own
from app.errors import N_
from app.jobs import service as jobs
from app.layouts import designs
from app.layouts.designs import NoLayout
from app.matrix import queries
from app.matrix.errors import LockedPart, NoSuchLayout, NothingChanged, NothingToUndo, PictureMissing
from app.matrix.models import Cell, CellVersion, Rendering
from app.matrix.spec import CellSpec, picture_class

KIND = "rendering"
Act = Literal["made", "words", "picture", "crop", "layout", "parts", "kit", "undone"]
ACTS: dict[Act, str] = {
    "made": N_("made the ads"),
    "words": N_("changed the words"),
    "picture": N_("chose another picture"),
    "crop": N_("moved the crop"),
    "layout": N_("chose another layout"),
    "parts": N_("showed or hid parts"),
    "kit": N_("took over the brand kit"),
    "undone": N_("went back to an earlier version"),
}
"""What people read in the history, after a name."""
Scope = Literal["this", "like", "all"]
"""This cell alone, all like it, or every cell of the campaign."""


@dataclass(frozen=True)
class Author:
    """Who changes whose campaign. An owner may change locked parts."""

    workspace_id: str
    campaign_id: str
    user_id: str | None
    is_owner: bool = False


@dataclass(frozen=True)
class Changed:
    """``rendering`` is the act, to be undone as a whole; ``reopened`` were approved or rejected before."""

    rendering: Rendering
    count: int
    reopened: int


def make_versions(session: Session, author: Author, wanted: Mapping[str, CellSpec], act: Act) -> Changed | None:
    """Give each cell (by id) a further version, and order that they are laid out, as one job.

    Cells that are like that already are left out; None where none is left. Raises ``QueueFull``.
    """
    rows = session.scalars(
        select(Cell)
        .where(Cell.workspace_id == author.workspace_id, Cell.id.in_(wanted))
        .order_by(Cell.position)
        .with_for_update()
    ).all()
    views = queries.views(session, list(rows))
    stale = [view.cell for view in views if view.spec != wanted[view.cell.id]]
    if not stale:
        return None
    campaign = campaigns.campaign(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    rendering = Rendering(workspace_id=author.workspace_id, campaign_id=campaign.id, act=act, created_by=author.user_id)
    session.add(rendering)
    session.flush()
    reopened = 0
    for cell in stale:
        cell.version = _next_number(session, cell)
        reopened += cell.review != "open"
        cell.review = "open"
        session.add(
            CellVersion(
                workspace_id=author.workspace_id,
                cell_id=cell.id,
                number=cell.version,
                rendering_id=rendering.id,
                spec=wanted[cell.id].model_dump(mode="json"),
                made_by=author.user_id,
            )
        )
    session.flush()
    row = queries.brief_row(session, workspace_id=author.workspace_id, campaign_id=campaign.id)
    jobs.enqueue(
        session,
        workspace_id=author.workspace_id,
        project_id=row.project_id,
        kind=KIND,
        subject_id=rendering.id,
        title=campaign.name,
        created_by=author.user_id,
    )
    return Changed(rendering, len(stale), reopened)


def change(session: Session, author: Author, cell_id: str, scope: Scope, act: Act, parts: Mapping[str, Any]) -> Changed:
    """Change parts of a cell's specification, by their names in ``CellSpec``, there and in what ``scope`` says.

    Raises ``NotFound``, ``PictureMissing``, ``NothingChanged``, ``NoSuchLayout``, ``LockedPart``, ``QueueFull``.
    """
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    cell = queries.cell(session, **where, cell_id=cell_id)
    (view,) = queries.views(session, [cell])
    if view.spec is None:
        raise PictureMissing()
    _check(author, view.spec, parts)
    cells = [cell] if scope == "this" else queries.all_cells(session, **where)
    chosen = [one for one in queries.views(session, cells) if scope != "like" or _is_like(view, one, act)]
    wanted = {one.cell.id: one.spec.model_copy(update=parts) for one in chosen if one.spec is not None}
    changed = make_versions(session, author, wanted, act)
    if changed is None:
        raise NothingChanged()
    return changed


def put_back(session: Session, author: Author, cell_id: str, number: int | None = None) -> Changed:
    """A cell as it was at version ``number``; None: the one before. Raises ``NotFound``, ``NothingToUndo``."""
    cell = queries.cell(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id, cell_id=cell_id)
    earlier = queries.version(
        session,
        workspace_id=author.workspace_id,
        cell_id=cell.id,
        number=cell.version - 1 if number is None else number,
    )
    if earlier is None:
        raise NothingToUndo()
    changed = make_versions(session, author, {cell.id: CellSpec.model_validate(earlier.spec)}, "undone")
    if changed is None:
        raise NothingToUndo()
    return changed


def undo(session: Session, author: Author, rendering_id: str) -> Changed:
    """Take back what one act did to all its cells, where nothing has happened to them since.

    Raises ``NotFound``, ``NothingToUndo``.
    """
    own(session, Rendering, rendering_id, author.workspace_id, Rendering.campaign_id == author.campaign_id)
    made = session.scalars(
        select(CellVersion)
        .join(Cell, Cell.id == CellVersion.cell_id)
        .where(
            CellVersion.workspace_id == author.workspace_id,
            CellVersion.rendering_id == rendering_id,
            Cell.version == CellVersion.number,
        )
    )
    before = {
        version.cell_id: queries.version(
            session, workspace_id=author.workspace_id, cell_id=version.cell_id, number=version.number - 1
        )
        for version in made
    }
    wanted = {cell_id: CellSpec.model_validate(one.spec) for cell_id, one in before.items() if one is not None}
    changed = make_versions(session, author, wanted, "undone") if wanted else None
    if changed is None:
        raise NothingToUndo()
    return changed


def take_over_kit(session: Session, author: Author) -> Changed | None:
    """Make anew what was made with an older version of the kit; None where nothing was. Raises ``NoBrief``."""
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    row = queries.brief_row(session, **where)
    kit = kits.current(session, workspace_id=author.workspace_id, project_id=row.project_id)
    wanted = {}
    for view in queries.views(session, queries.all_cells(session, **where)):
        if view.spec is not None and view.spec.kit_version != kit.version:
            legal = legal_line(kit.legal_for(view.cell.locale))
            wanted[view.cell.id] = view.spec.model_copy(update={"kit_version": kit.version, "legal": legal})
    return make_versions(session, author, wanted, "kit")


def legal_line(lines: LegalLines) -> str:
    """What stands at the foot of an ad: the legal lines of its language, then the disclaimers."""
    return " ".join((*lines.legal, *lines.disclaimers))


def _next_number(session: Session, cell: Cell) -> int:
    newest = session.scalar(
        select(CellVersion.number).where(CellVersion.cell_id == cell.id).order_by(CellVersion.number.desc()).limit(1)
    )
    return (newest or 0) + 1


def _is_like(one: queries.CellView, other: queries.CellView, act: Act) -> bool:
    """What "all like it" means depends on what is changed."""
    if one.spec is None or other.spec is None:
        return False
    if act == "words":
        return (one.cell.audience, one.cell.locale) == (other.cell.audience, other.cell.locale)
    if act in ("picture", "crop"):
        return one.cell.audience == other.cell.audience and _shape(one.spec) == _shape(other.spec)
    return one.spec.place.proportion == other.spec.place.proportion


def _shape(spec: CellSpec) -> str:
    return picture_class(spec.place.width_px, spec.place.height_px, spec.place.proportion)


def _check(author: Author, spec: CellSpec, parts: Mapping[str, Any]) -> None:
    layout = layout_of(parts.get("layout", spec.layout))
    moved = set(parts.get("hidden", spec.hidden)) ^ set(spec.hidden)
    moved |= {slot for slot in ("legal", "ai_label") if parts.get(slot, getattr(spec, slot)) != getattr(spec, slot)}
    locked = sorted(moved & set(layout.locked))
    if locked and not author.is_owner:
        raise LockedPart(slot=locked[0], layout=layout.name["en"])


def layout_of(key: str) -> designs.Layout:
    """Raises ``NoSuchLayout``."""
    try:
        return designs.layout(key)
    except NoLayout as error:
        raise NoSuchLayout(key=key) from error
