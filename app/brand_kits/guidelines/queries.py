"""What may be seen of guidelines whose proposals wait for somebody."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand_kits.guidelines.models import Guideline, GuidelineLogo
from app.brand_kits.guidelines.proposals import Found
from app.db import own
from app.errors import NotFound
from app.projects import queries as projects


def waiting(session: Session, *, workspace_id: str, project_id: str) -> Guideline | None:
    """The brand's guideline whose proposals wait, if there is one. Raises ``NotFound`` for the brand."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    return session.scalar(
        select(Guideline).where(Guideline.workspace_id == workspace_id, Guideline.project_id == project_id)
    )


def guideline(session: Session, *, workspace_id: str, project_id: str, guideline_id: str) -> Guideline:
    """Raises ``NotFound``, also once it was taken over, dismissed or replaced."""
    return own(session, Guideline, guideline_id, workspace_id, Guideline.project_id == project_id)


def found(row: Guideline) -> Found:
    return Found.model_validate(row.found)


def logos(session: Session, row: Guideline) -> list[GuidelineLogo]:
    """The files of its logos, by their place."""
    return list(
        session.scalars(
            select(GuidelineLogo)
            .where(GuidelineLogo.workspace_id == row.workspace_id, GuidelineLogo.guideline_id == row.id)
            .order_by(GuidelineLogo.place)
        )
    )


def logo(session: Session, *, workspace_id: str, project_id: str, guideline_id: str, place: int) -> GuidelineLogo:
    """Raises ``NotFound``."""
    row = session.scalar(
        select(GuidelineLogo).where(
            GuidelineLogo.workspace_id == workspace_id,
            GuidelineLogo.project_id == project_id,
            GuidelineLogo.guideline_id == guideline_id,
            GuidelineLogo.place == place,
        )
    )
    if row is None:
        raise NotFound()
    return row
