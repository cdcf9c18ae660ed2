"""What may be seen of brands."""

from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from app.db import own
from app.projects.models import Project

PAGE = 24


def project(session: Session, *, workspace_id: str, project_id: str) -> Project:
    """Raises ``NotFound`` for another workspace's brand too."""
    return own(session, Project, project_id, workspace_id)


def projects(
    session: Session,
    *,
    workspace_id: str,
    archived: bool = False,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Project]:
    """Brands, the newest first, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = select(Project).where(Project.workspace_id == workspace_id)
    wanted = wanted.where(Project.archived_at.is_not(None) if archived else Project.archived_at.is_(None))
    if before is not None:
        wanted = wanted.where(tuple_(Project.created_at, Project.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Project.created_at.desc(), Project.id.desc()).limit(limit + 1)))


def archived_count(session: Session, *, workspace_id: str) -> int:
    counted = select(func.count()).where(Project.workspace_id == workspace_id, Project.archived_at.is_not(None))
    return session.scalar(counted) or 0


def names(session: Session, *, workspace_id: str, project_ids: set[str]) -> dict[str, str]:
    """Names of brands by id; another workspace's are left out."""
    rows = session.execute(
        select(Project.id, Project.name).where(Project.workspace_id == workspace_id, Project.id.in_(project_ids))
    )
    return {row.id: row.name for row in rows}
