"""The rows of trainings, of pictures and of texts alike."""

from datetime import datetime
from typing import Literal

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.db import own
from app.trainings.models import Training

PAGE = 24
Modality = Literal["image", "text"]


def training(session: Session, *, workspace_id: str, training_id: str, modality: Modality) -> Training:
    """Raises ``NotFound`` for another workspace's and for the other modality's."""
    return own(session, Training, training_id, workspace_id, Training.modality == modality)


def of_project(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    modality: Modality,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Training]:
    """A brand's trainings, the newest first, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = select(Training).where(
        Training.workspace_id == workspace_id, Training.project_id == project_id, Training.modality == modality
    )
    if before is not None:
        wanted = wanted.where(tuple_(Training.created_at, Training.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Training.created_at.desc(), Training.id.desc()).limit(limit + 1)))
