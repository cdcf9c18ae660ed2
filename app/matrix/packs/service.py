"""Packs are ordered of what is approved, and may be downloaded by whom the workspace allows."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.ad_files.names import DEFAULT_PATTERN, check_pattern
from app.campaigns import queries as campaigns
from app.jobs import service as jobs
from app.jobs.models import Job
from app.matrix import decisions, queries
from app.matrix.cells import Author
from app.matrix.errors import NoFormat, NothingToPack, NothingToPrint
from app.matrix.models import CampaignBrief, Pack
from app.matrix.packs import queries as packs
from app.matrix.packs.contents import FORMATS, Contents, Format, PackedAd, kinds_for
from app.matrix.queries import CellView
from app.sign_off import queries as verdicts
from app.sign_off.service import check_download

KIND = "pack"


@dataclass(frozen=True)
class Reader:
    """For whom the table is written: what is said of findings in their language, and what parts their columns."""

    separator: str
    sentences: Mapping[str, str]


def order(session: Session, author: Author, formats: tuple[Format, ...], pattern: str, reader: Reader) -> Pack:
    """A pack of every ad that is approved now; the pattern is kept for the campaign's next one.

    Raises ``NotFound``, ``NoBrief``, ``NoFormat``, ``NothingToPack``, ``NothingToPrint``, ``QueueFull``, and what
    ``ad_files.names.check_pattern`` raises.
    """
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    pattern = pattern.strip() or DEFAULT_PATTERN
    check_pattern(pattern)
    if not formats:
        raise NoFormat()
    queries.brief_row(session, **where)
    # The brief's row is the lock that keeps two packs from having one number.
    row = session.scalars(
        select(CampaignBrief).where(CampaignBrief.campaign_id == author.campaign_id).with_for_update()
    ).one()
    going = [view for view in packs.all_views(session, **where) if view.state == "approved"]
    if not going:
        raise NothingToPack()
    wanted = tuple(one for one in FORMATS if one in formats)
    if not any(kinds_for(view.spec.place, wanted) for view in going if view.spec is not None):
        raise NothingToPrint()
    row.name_pattern = "" if pattern == DEFAULT_PATTERN else pattern
    campaign = campaigns.campaign(session, **where)
    ads = _ads(session, author, row, going)
    pack = Pack(
        **where,
        number=_next_number(session, author),
        contents=Contents(
            campaign=campaign.name,
            pattern=pattern,
            formats=wanted,
            separator=";" if reader.separator == ";" else ",",
            sentences=dict(reader.sentences),
            count=len(ads),
            ads=ads,
        ).model_dump(mode="json"),
        created_by=author.user_id,
    )
    session.add(pack)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=author.workspace_id,
        project_id=row.project_id,
        kind=KIND,
        subject_id=pack.id,
        title=campaign.name,
        created_by=author.user_id,
    )
    return pack


def _ads(session: Session, author: Author, row: CampaignBrief, going: list[CellView]) -> tuple[PackedAd, ...]:
    brief = queries.brief_of(row)
    said = verdicts.in_force(
        session,
        workspace_id=author.workspace_id,
        subject_kind=decisions.KIND,
        subject_ids=[view.cell.id for view in going],
    )
    found = []
    for view in going:
        assert view.version is not None
        audience, verdict = brief.audience(view.cell.audience), said.get(view.cell.id)
        found.append(
            PackedAd(
                cell_id=view.cell.id,
                version_id=view.version.id,
                version=view.version.number,
                verdict_id=verdict.id if verdict is not None else None,
                number=view.cell.position + 1,
                audience=audience.name if audience is not None else view.cell.audience,
            )
        )
    return tuple(found)


def _next_number(session: Session, author: Author) -> int:
    newest = session.scalar(
        select(func.max(Pack.number)).where(
            Pack.workspace_id == author.workspace_id, Pack.campaign_id == author.campaign_id
        )
    )
    return (newest or 0) + 1


def cancel(session: Session, *, workspace_id: str, campaign_id: str, pack_id: str) -> Job:
    """Raises ``NotFound``, ``AlreadyEnded``."""
    pack = packs.pack(session, workspace_id=workspace_id, campaign_id=campaign_id, pack_id=pack_id)
    (view,) = packs.views(session, workspace_id=workspace_id, campaign_id=campaign_id, pack_id=pack.id)
    return jobs.request_cancel(session, workspace_id=workspace_id, job_id=view.job.id)


def check_taking(session: Session, pack: Pack, *, may_all: bool) -> None:
    """Whether the pack may leave the house: an ad that was changed or rejected since is not approved any more.

    Raises ``NotApproved``, ``SomeNotApproved``.
    """
    if not may_all:
        check_download(packs.states(session, pack), may_all=False)
