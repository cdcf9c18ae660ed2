"""What may be seen of brand kits."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand_kits.models import KitFile, KitVersion
from app.brand_kits.snapshot import KitSnapshot
from app.errors import NotFound
from app.projects import queries as projects


def current(session: Session, *, workspace_id: str, project_id: str) -> KitSnapshot:
    """The kit as it stands now; an empty one of version 0 where the brand has none yet.

    Raises ``NotFound`` for another workspace's brand too.
    """
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    row = session.scalar(
        select(KitVersion)
        .where(KitVersion.workspace_id == workspace_id, KitVersion.project_id == project_id)
        .order_by(KitVersion.number.desc())
        .limit(1)
    )
    return snapshot_of(row) if row is not None else KitSnapshot()


def version(session: Session, *, workspace_id: str, project_id: str, number: int) -> KitSnapshot:
    """The kit as it was at version ``number``, from 0. Raises ``NotFound`` for one that never was."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    if number == 0:
        return KitSnapshot()
    row = session.scalar(
        select(KitVersion).where(
            KitVersion.workspace_id == workspace_id, KitVersion.project_id == project_id, KitVersion.number == number
        )
    )
    if row is None:
        raise NotFound()
    return snapshot_of(row)


def file(session: Session, *, workspace_id: str, project_id: str, sha: str) -> KitFile:
    """A logo's or font's file, of any version, by the first 16 digits of its hash. Raises ``NotFound``."""
    row = session.scalar(
        select(KitFile)
        .where(
            KitFile.workspace_id == workspace_id,
            KitFile.project_id == project_id,
            KitFile.sha256.startswith(sha, autoescape=True),
        )
        .limit(1)
    )
    if row is None:
        raise NotFound()
    return row


def snapshot_of(row: KitVersion) -> KitSnapshot:
    # The number that counts is the row's; what was written with it is the same.
    return KitSnapshot.model_validate({**row.snapshot, "version": row.number})
