"""What may be seen of a campaign's packs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ad_files.names import safe
from app.campaigns import queries as campaigns
from app.db import own
from app.jobs.models import Job
from app.jobs.queries import jobs_of
from app.matrix import queries
from app.matrix.models import Cell, Pack
from app.matrix.packs.contents import Contents, Failure
from app.matrix.queries import CellView

AT_ONCE = 400
"""Cells that are asked for in one statement."""
LONGEST_STEM = 60
MOST_SHOWN = 50


@dataclass(frozen=True)
class PackView:
    """A pack without the list of its ads."""

    id: str
    campaign_id: str
    number: int
    count: int
    """Of ads."""
    formats: tuple[str, ...]
    pattern: str
    failures: tuple[Failure, ...]
    byte_count: int
    sha256: str | None
    created_at: datetime
    created_by: str | None
    finished_at: datetime | None
    job: Job

    @property
    def is_there(self) -> bool:
        return self.finished_at is not None


def pack(session: Session, *, workspace_id: str, campaign_id: str, pack_id: str) -> Pack:
    """Raises ``NotFound`` for another workspace's or campaign's too."""
    return own(session, Pack, pack_id, workspace_id, Pack.campaign_id == campaign_id)


def views(session: Session, *, workspace_id: str, campaign_id: str, pack_id: str | None = None) -> list[PackView]:
    """The newest first, at most ``MOST_SHOWN``. Raises ``NotFound`` for another workspace's campaign."""
    campaigns.campaign(session, workspace_id=workspace_id, campaign_id=campaign_id)
    # Not the whole contents, which name every ad.
    told = [Pack.contents[name] for name in ("formats", "failures", "pattern")]
    wanted = select(
        Pack.id,
        Pack.number,
        Pack.contents["count"].as_integer(),
        *told,
        Pack.byte_count,
        Pack.sha256,
        Pack.created_at,
        Pack.created_by,
        Pack.finished_at,
    ).where(Pack.workspace_id == workspace_id, Pack.campaign_id == campaign_id)
    if pack_id is not None:
        wanted = wanted.where(Pack.id == pack_id)
    rows = session.execute(wanted.order_by(Pack.number.desc()).limit(MOST_SHOWN)).all()
    jobs = jobs_of(session, [row[0] for row in rows])
    return [
        PackView(
            id=row[0],
            campaign_id=campaign_id,
            number=row[1],
            count=row[2] or 0,
            formats=tuple(row[3] or ()),
            failures=tuple(Failure.model_validate(one) for one in row[4] or ()),
            pattern=row[5] or "",
            byte_count=row[6],
            sha256=row[7],
            created_at=row[8],
            created_by=row[9],
            finished_at=row[10],
            job=jobs[row[0]],
        )
        for row in rows
        if row[0] in jobs
    ]


def all_views(session: Session, *, workspace_id: str, campaign_id: str) -> Iterator[CellView]:
    """Every cell that the brief lists, in its order, with the version that counts."""
    cells = queries.all_cells(session, workspace_id=workspace_id, campaign_id=campaign_id)
    for start in range(0, len(cells), AT_ONCE):
        yield from queries.views(session, cells[start : start + AT_ONCE])


@dataclass(frozen=True)
class LeftOut:
    """A cell that does not go into a pack, and its state, which says why."""

    cell: Cell
    state: str


@dataclass(frozen=True)
class Going:
    """What would go into a pack that is ordered now."""

    count: int
    left_out: tuple[LeftOut, ...]

    @property
    def reasons(self) -> Counter[str]:
        """How many are left out, by state."""
        return Counter(one.state for one in self.left_out)


def going(session: Session, *, workspace_id: str, campaign_id: str) -> Going:
    found = list(all_views(session, workspace_id=workspace_id, campaign_id=campaign_id))
    left_out = tuple(LeftOut(view.cell, view.state) for view in found if view.state != "approved")
    return Going(len(found) - len(left_out), left_out)


def states(session: Session, row: Pack) -> list[str]:
    """What is said today of each ad in the pack; of one that has another version by now, ``open``."""
    ads = Contents.model_validate(row.contents).ads
    reviews: dict[tuple[str, int], str] = {}
    for start in range(0, len(ads), AT_ONCE):
        ids = [one.cell_id for one in ads[start : start + AT_ONCE]]
        mine = select(Cell).where(Cell.workspace_id == row.workspace_id, Cell.id.in_(ids))
        reviews |= {(cell.id, cell.version): cell.review for cell in session.scalars(mine)}
    return [reviews.get((one.cell_id, one.version), "open") for one in ads]


def file_name(campaign: str, number: int) -> str:
    """Under which a pack leaves the house."""
    return f"{safe(campaign, LONGEST_STEM) or 'campaign'}-{number}.zip"
