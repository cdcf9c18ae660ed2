"""What may be seen of a campaign's brief, words, pictures and cells."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from app.campaigns import queries as campaigns
from app.db import own
from app.generations.models import Output
from app.jobs.models import Job
from app.matrix.brief import Brief
from app.matrix.errors import NoBrief
from app.matrix.models import CampaignBrief, CampaignPicture, CampaignWords, Cell, CellVersion, Rendering
from app.matrix.spec import CellSpec, Words
from app.matrix.text_rules import FieldFinding, of_ad
from app.writings import queries as writings

PAGE = 60
"""Cells on a page of the matrix."""
MOST_CANDIDATES = 24
"""Pictures that a cell's page offers."""
HAS_VERSION = (Cell.version > 0).label("has_version")
"""One column for what is read and grouped by: with a bound number in each, PostgreSQL takes them for two."""


@dataclass(frozen=True)
class CellFilters:
    """What of a matrix is shown; None for everything."""

    audience: str | None = None
    locale: str | None = None
    channel: str | None = None
    review: str | None = None


@dataclass(frozen=True)
class CellView:
    """A cell and the version that counts; None while it waits for its picture."""

    cell: Cell
    version: CellVersion | None

    @property
    def spec(self) -> CellSpec | None:
        return None if self.version is None else CellSpec.model_validate(self.version.spec)

    @property
    def state(self) -> str:
        """``waiting`` for its picture, ``laying_out``, ``problem``, else its review."""
        if self.version is None:
            return "waiting"
        if self.version.finished_at is None:
            return "laying_out"
        return "problem" if self.version.problem is not None else self.cell.review


def brief_row(session: Session, *, workspace_id: str, campaign_id: str) -> CampaignBrief:
    """Raises ``NotFound`` for another workspace's campaign, ``NoBrief`` for one that only groups pictures."""
    row = find_brief(session, workspace_id=workspace_id, campaign_id=campaign_id)
    if row is None:
        raise NoBrief()
    return row


def find_brief(session: Session, *, workspace_id: str, campaign_id: str) -> CampaignBrief | None:
    """None for a campaign that only groups pictures. Raises ``NotFound``."""
    campaigns.campaign(session, workspace_id=workspace_id, campaign_id=campaign_id)
    wanted = CampaignBrief.workspace_id == workspace_id, CampaignBrief.campaign_id == campaign_id
    return session.scalar(select(CampaignBrief).where(*wanted))


def brief_of(row: CampaignBrief) -> Brief:
    return Brief.model_validate(row.brief)


def with_brief(session: Session, *, workspace_id: str) -> dict[str, CampaignBrief]:
    """By campaign id."""
    rows = session.scalars(select(CampaignBrief).where(CampaignBrief.workspace_id == workspace_id))
    return {row.campaign_id: row for row in rows}


def words(session: Session, *, workspace_id: str, campaign_id: str) -> dict[tuple[str, str], CampaignWords]:
    """By audience and locale."""
    rows = session.scalars(
        select(CampaignWords).where(
            CampaignWords.workspace_id == workspace_id, CampaignWords.campaign_id == campaign_id
        )
    )
    return {(row.audience, row.locale): row for row in rows}


def words_of(row: CampaignWords | None) -> Words:
    return Words() if row is None else Words.model_validate(row.words)


def pictures(session: Session, *, workspace_id: str, campaign_id: str) -> dict[tuple[str, str], CampaignPicture]:
    """By audience and class of proportions."""
    rows = session.scalars(
        select(CampaignPicture).where(
            CampaignPicture.workspace_id == workspace_id, CampaignPicture.campaign_id == campaign_id
        )
    )
    return {(row.audience, row.shape): row for row in rows}


def outputs(session: Session, *, workspace_id: str, output_ids: set[str]) -> dict[str, Output]:
    """Pictures by id, deleted ones left out."""
    rows = session.scalars(
        select(Output).where(
            Output.workspace_id == workspace_id, Output.id.in_(output_ids), Output.deleted_at.is_(None)
        )
    )
    return {row.id: row for row in rows}


def cell(session: Session, *, workspace_id: str, campaign_id: str, cell_id: str) -> Cell:
    """Raises ``NotFound`` for another workspace's or campaign's too."""
    return own(session, Cell, cell_id, workspace_id, Cell.campaign_id == campaign_id)


def all_cells(session: Session, *, workspace_id: str, campaign_id: str) -> list[Cell]:
    """Those that the brief lists, in their order."""
    return list(session.scalars(_listed(workspace_id, campaign_id).order_by(Cell.position)))


def page(
    session: Session,
    *,
    workspace_id: str,
    campaign_id: str,
    filters: CellFilters,
    after: int | None = None,
    limit: int = PAGE,
) -> list[CellView]:
    """Cells after this position, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = _listed(workspace_id, campaign_id)
    for column, value in (
        (Cell.audience, filters.audience),
        (Cell.locale, filters.locale),
        (Cell.channel, filters.channel),
        (Cell.review, filters.review),
    ):
        wanted = wanted if value is None else wanted.where(column == value)
    if after is not None:
        wanted = wanted.where(Cell.position > after)
    return views(session, list(session.scalars(wanted.order_by(Cell.position).limit(limit + 1))))


def views(session: Session, cells: list[Cell]) -> list[CellView]:
    """With the version that counts; the cells must be of the visitor's own workspace."""
    found = session.scalars(
        select(CellVersion)
        .join(Cell, Cell.id == CellVersion.cell_id)
        .where(CellVersion.cell_id.in_([one.id for one in cells]), CellVersion.number == Cell.version)
    )
    versions = {version.cell_id: version for version in found}
    return [CellView(one, versions.get(one.id)) for one in cells]


def counts(session: Session, *, workspace_id: str, campaign_id: str) -> Counter[str]:
    """Cells by review; ``waiting`` are those that no picture is there for, whatever their review."""
    rows = session.execute(
        select(Cell.review, HAS_VERSION, func.count())
        .where(*_is_listed(workspace_id, campaign_id))
        .group_by(Cell.review, HAS_VERSION)
    )
    found: Counter[str] = Counter()
    for review, has_version, count in rows:
        found[review if has_version else "waiting"] += count
    return found


def counts_by_campaign(session: Session, *, workspace_id: str) -> dict[str, Counter[str]]:
    """As ``counts``, of every campaign that has cells."""
    rows = session.execute(
        select(Cell.campaign_id, Cell.review, HAS_VERSION, func.count())
        .where(Cell.workspace_id == workspace_id, Cell.removed_at.is_(None))
        .group_by(Cell.campaign_id, Cell.review, HAS_VERSION)
    )
    found: dict[str, Counter[str]] = {}
    for campaign_id, review, has_version, count in rows:
        found.setdefault(campaign_id, Counter())[review if has_version else "waiting"] += count
    return found


def history(session: Session, *, workspace_id: str, cell_id: str) -> list[CellVersion]:
    """All versions of a cell, the newest first."""
    return list(
        session.scalars(
            select(CellVersion)
            .where(CellVersion.workspace_id == workspace_id, CellVersion.cell_id == cell_id)
            .order_by(CellVersion.number.desc())
        )
    )


def version(session: Session, *, workspace_id: str, cell_id: str, number: int) -> CellVersion | None:
    return session.scalar(
        select(CellVersion).where(
            CellVersion.workspace_id == workspace_id, CellVersion.cell_id == cell_id, CellVersion.number == number
        )
    )


def text_findings(session: Session, row: CampaignBrief, views: list[CellView]) -> dict[str, list[FieldFinding]]:
    """By cell what the rules, as they are now, have against the words on it; those without any are left out."""
    brief, rules = brief_of(row), writings.rules_of(session, [row.project_id])[row.project_id]
    told = {view.cell.id: of_ad(view.spec, brief, rules) for view in views if view.spec is not None}
    return {cell_id: found for cell_id, found in told.items() if found}


def acts(session: Session, *, workspace_id: str, versions: list[CellVersion]) -> dict[str, str]:
    """What was done to make each of these versions, by the version's id."""
    wanted = {one.rendering_id for one in versions}
    rows = session.execute(
        select(Rendering.id, Rendering.act).where(Rendering.workspace_id == workspace_id, Rendering.id.in_(wanted))
    )
    known = {row.id: row.act for row in rows}
    return {one.id: known[one.rendering_id] for one in versions if one.rendering_id in known}


@dataclass(frozen=True)
class ActView:
    """One act on a campaign's cells: who did what to how many, and when."""

    rendering: Rendering
    count: int


def recent_acts(session: Session, *, workspace_id: str, campaign_id: str, limit: int = 50) -> list[ActView]:
    """The newest first."""
    rows = session.execute(
        select(Rendering, func.count(CellVersion.id))
        .join(CellVersion, CellVersion.rendering_id == Rendering.id)
        .where(Rendering.workspace_id == workspace_id, Rendering.campaign_id == campaign_id)
        .group_by(Rendering.id)
        .order_by(Rendering.created_at.desc(), Rendering.id.desc())
        .limit(limit)
    )
    return [ActView(rendering, count) for rendering, count in rows]


def candidates(
    session: Session, *, workspace_id: str, campaign_id: str, project_id: str, limit: int = MOST_CANDIDATES
) -> list[Output]:
    """Pictures to choose from: the campaign's, then the brand's newest; rejected ones are left out."""
    usable = Output.workspace_id == workspace_id, Output.deleted_at.is_(None), Output.review != "rejected"
    newest = Output.created_at.desc(), Output.id.desc()
    mine = select(Output).where(*usable, Output.campaign_id == campaign_id).order_by(*newest).limit(limit)
    others = select(Output).where(*usable, Output.project_id == project_id).order_by(*newest).limit(limit)
    found = {one.id: one for one in (*session.scalars(mine), *session.scalars(others))}
    return list(found.values())[:limit]


def neighbours(
    session: Session, *, workspace_id: str, campaign_id: str, position: int
) -> tuple[str | None, str | None]:
    """Ids of the cells before and after this position."""
    listed = _is_listed(workspace_id, campaign_id)
    before = select(Cell.id).where(*listed, Cell.position < position).order_by(Cell.position.desc()).limit(1)
    after = select(Cell.id).where(*listed, Cell.position > position).order_by(Cell.position).limit(1)
    return session.scalar(before), session.scalar(after)


def active_jobs(session: Session, *, workspace_id: str, campaign_id: str) -> list[Job]:
    """Jobs that draw or lay out for this campaign and are not over."""
    of_pictures = select(CampaignPicture.generation_id).where(
        CampaignPicture.workspace_id == workspace_id,
        CampaignPicture.campaign_id == campaign_id,
        CampaignPicture.generation_id.is_not(None),
    )
    of_layouts = select(Rendering.id).where(
        Rendering.workspace_id == workspace_id, Rendering.campaign_id == campaign_id
    )
    return list(
        session.scalars(
            select(Job).where(
                Job.workspace_id == workspace_id,
                Job.is_active,
                Job.subject_id.in_(of_pictures) | Job.subject_id.in_(of_layouts),
            )
        )
    )


def _is_listed(workspace_id: str, campaign_id: str) -> tuple[ColumnElement[bool], ...]:
    return Cell.workspace_id == workspace_id, Cell.campaign_id == campaign_id, Cell.removed_at.is_(None)


def _listed(workspace_id: str, campaign_id: str) -> Select[Cell]:
    return select(Cell).where(*_is_listed(workspace_id, campaign_id))
