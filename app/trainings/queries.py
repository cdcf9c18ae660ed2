"""What may be read of trainings of both kinds."""

from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Generic

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.db import own
from app.jobs.models import Job
from app.projects import queries as projects
from app.trainings.estimates import Estimate
from app.trainings.kind import AnyKind, BaseEntry, Frozen, Kind, Modality, Overrides
from app.trainings.models import LossPoint, Training
from app.trainings.plans import Recipe

PAGE = 24
LATEST_MEASUREMENTS = 50


def training(session: Session, kind: AnyKind, *, workspace_id: str, training_id: str) -> Training:
    """Raises ``NotFound`` for another workspace's and for one of the other kind."""
    return own(session, Training, training_id, workspace_id, Training.modality == kind.modality)


def of_project(
    session: Session,
    kind: AnyKind,
    *,
    workspace_id: str,
    project_id: str,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Training]:
    """A brand's trainings of one kind, the newest first, at most ``limit`` + 1 (the last one says that there are
    more)."""
    wanted = select(Training).where(
        Training.workspace_id == workspace_id, Training.project_id == project_id, Training.modality == kind.modality
    )
    if before is not None:
        wanted = wanted.where(tuple_(Training.created_at, Training.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Training.created_at.desc(), Training.id.desc()).limit(limit + 1)))


@dataclass(frozen=True)
class JobSpec(Generic[Recipe, BaseEntry, Frozen]):
    """A training's row as plain values, to be carried across transactions."""

    training_id: str
    project_id: str
    brand: str
    recipe: Recipe
    base: BaseEntry
    frozen: Frozen
    """What it learns from."""

    @property
    def folder(self) -> str:
        """Where the training's files live in the storage."""
        return folder_of(self.project_id, self.training_id)


def folder_of(project_id: str, training_id: str) -> str:
    return f"projects/{project_id}/trainings/{training_id}"


def job_spec(
    session: Session, kind: Kind[Recipe, BaseEntry, Frozen, Overrides], *, workspace_id: str, training_id: str
) -> JobSpec[Recipe, BaseEntry, Frozen]:
    """For the worker that has claimed its job. Raises ``NotFound``, ``UnknownBaseModel``."""
    found = training(session, kind, workspace_id=workspace_id, training_id=training_id)
    project = projects.project(session, workspace_id=workspace_id, project_id=found.project_id)
    return JobSpec(
        training_id=found.id,
        project_id=found.project_id,
        brand=project.name,
        recipe=kind.recipe.model_validate(found.recipe),
        base=kind.base(session, workspace_id, found.base_model),
        frozen=kind.frozen(found),
    )


def running_of(session: Session, *, workspace_id: str, project_id: str) -> list[Training]:
    """The brand's training of each kind that runs, else the first that waits; pictures before the voice."""
    first: dict[str, Training] = {}
    for one in session.scalars(
        select(Training)
        .join(Job, Job.subject_id == Training.id)
        .where(Training.workspace_id == workspace_id, Job.project_id == project_id, Job.queue == "training")
        .where(Job.is_active)
        .order_by(Job.state.desc(), Job.created_at, Job.id)
    ):
        first.setdefault(one.modality, one)
    return [first[modality] for modality in sorted(first)]


def loss_points(session: Session, training_id: str) -> list[LossPoint]:
    return list(session.scalars(select(LossPoint).where(LossPoint.training_id == training_id).order_by(LossPoint.step)))


def smoothed(points: list[LossPoint]) -> list[tuple[int, float]]:
    """Step and loss, averaged over the last tenth of what there is.

    A single step's loss says more about the noise level that was drawn than about what has been learned.
    """
    window = max(1, len(points) // 10)
    return [
        (point.step, fmean(one.loss for one in points[max(0, at - window + 1) : at + 1]))
        for at, point in enumerate(points)
        if at + 1 >= window
    ]


def adapters_of(session: Session, training_ids: list[str]) -> dict[str, Adapter]:
    """The adapter that each training left, by the training's id."""
    if not training_ids:
        return {}
    found = session.scalars(select(Adapter).where(Adapter.training_id.in_(training_ids)))
    return {str(row.training_id): row for row in found}


def measured(session: Session, *, base_model: str, modality: Modality) -> list[tuple[Training, Job, Adapter | None]]:
    """The latest trainings on this base that were measured, the newest first.

    Of all workspaces: a machine's pace tells nothing about anybody's brand, and a new workspace needs it too.
    """
    found = session.execute(
        select(Training, Job, Adapter)
        .join(Job, Job.subject_id == Training.id)
        .outerjoin(Adapter, Adapter.training_id == Training.id)
        .where(Training.base_model == base_model, Training.modality == modality, Training.seconds_per_step.is_not(None))
        .order_by(Training.created_at.desc(), Training.id.desc())
        .limit(LATEST_MEASUREMENTS)
    )
    return [(row[0], row[1], row[2]) for row in found]


def planned_precision(training: Training) -> str | None:
    """None where no plan was made."""
    plan = Estimate.model_validate(training.estimate).plan
    return None if plan is None else plan.precision
