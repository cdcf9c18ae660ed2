"""What may be seen of a kit's earlier versions."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.brand_kits.models import KitVersion
from app.brand_kits.queries import snapshot_of
from app.brand_kits.snapshot import KitSnapshot
from app.brand_kits.versions.changes import Change, changes
from app.projects import queries as projects

PAGE = 30


@dataclass(frozen=True)
class VersionView:
    """``by`` is None where nobody knows any more who it was."""

    number: int
    by: str | None
    at: datetime
    changes: list[Change]


def versions(
    session: Session, *, workspace_id: str, project_id: str, before: int | None = None, limit: int = PAGE
) -> list[VersionView]:
    """The versions below the number ``before``, the newest first, at most ``limit`` + 1 (the last one says that there
    are more). Raises ``NotFound`` for another workspace's brand too."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    wanted = select(KitVersion).where(KitVersion.workspace_id == workspace_id, KitVersion.project_id == project_id)
    if before is not None:
        wanted = wanted.where(KitVersion.number < before)
    # One more than is shown: the oldest is held against what was there before it.
    rows = list(session.scalars(wanted.order_by(KitVersion.number.desc()).limit(limit + 2)))
    kits = [*(snapshot_of(row) for row in rows), KitSnapshot()]
    names = accounts.names_of(session, {row.changed_by for row in rows if row.changed_by})
    return [
        VersionView(row.number, names.get(row.changed_by or ""), row.created_at, changes(kits[place + 1], kits[place]))
        for place, row in enumerate(rows[: limit + 1])
    ]
