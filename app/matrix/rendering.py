"""What the worker needs to lay out an act's cells, and where it writes what came out."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand_kits import queries as kits
from app.brand_kits.snapshot import KitSnapshot
from app.db import now
from app.errors import NotFound
from app.generations.models import Output
from app.jobs import claims
from app.jobs.claims import Claim
from app.matrix.models import CampaignBrief, Cell, CellVersion, Rendering
from app.matrix.spec import CellSpec


@dataclass(frozen=True)
class Task:
    """One version that is to be laid out. ``picture_key`` is None where its picture is gone."""

    version_id: str
    cell_id: str
    campaign_id: str
    spec: CellSpec
    picture_key: str | None


@dataclass(frozen=True)
class Tasks:
    """What is left of an act, and the kits that its versions name, by number."""

    project_id: str
    total: int
    left: tuple[Task, ...]
    kits: dict[int, KitSnapshot]


@dataclass(frozen=True)
class Laid:
    """What came out of one version: files in the storage, or why there are none."""

    key: str | None = None
    preview_key: str | None = None
    byte_count: int = 0
    sha256: str | None = None
    enlarged: float = 1.0
    findings: tuple[dict[str, Any], ...] = ()
    problem: str | None = None


def tasks(session: Session, workspace_id: str, rendering_id: str) -> Tasks:
    """Raises ``NotFound`` for an act that is gone."""
    rendering = session.get(Rendering, rendering_id)
    if rendering is None or rendering.workspace_id != workspace_id:
        raise NotFound()
    brief = session.scalar(
        select(CampaignBrief).where(
            CampaignBrief.workspace_id == workspace_id, CampaignBrief.campaign_id == rendering.campaign_id
        )
    )
    if brief is None:
        raise NotFound()
    rows = session.scalars(
        select(CellVersion)
        .join(Cell, Cell.id == CellVersion.cell_id)
        .where(CellVersion.workspace_id == workspace_id, CellVersion.rendering_id == rendering_id)
        .order_by(Cell.position)
    ).all()
    specs = {row.id: CellSpec.model_validate(row.spec) for row in rows if row.finished_at is None}
    keys = _picture_keys(session, workspace_id, specs.values())
    snapshots = {
        number: kits.version(session, workspace_id=workspace_id, project_id=brief.project_id, number=number)
        for number in {spec.kit_version for spec in specs.values()}
    }
    left = tuple(
        Task(row.id, row.cell_id, rendering.campaign_id, specs[row.id], keys.get(specs[row.id].output_id))
        for row in rows
        if row.id in specs
    )
    return Tasks(brief.project_id, len(rows), left, snapshots)


def _picture_keys(session: Session, workspace_id: str, specs: Any) -> dict[str, str]:
    """Deleted pictures too, as long as their files are there: the versions that name them stay what they are."""
    wanted = {spec.output_id for spec in specs}
    rows = session.execute(
        select(Output.id, Output.key).where(Output.workspace_id == workspace_id, Output.id.in_(wanted))
    )
    return {row.id: row.key for row in rows}


def keep(session: Session, claim: Claim, task: Task, laid: Laid) -> bool:
    """Write what came out; False where another attempt has done so already. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, got_further=True, with_result=True)
    row = session.get(CellVersion, task.version_id)
    if row is None or row.finished_at is not None:
        return False
    row.key, row.preview_key, row.sha256, row.byte_count = laid.key, laid.preview_key, laid.sha256, laid.byte_count
    row.enlarged, row.findings, row.problem = laid.enlarged, list(laid.findings), laid.problem
    row.finished_at = now()
    session.flush()
    return True


def is_kept(session: Session, task: Task, key: str) -> bool:
    """Whether this file is the version's."""
    row = session.get(CellVersion, task.version_id)
    return row is not None and row.key == key
