"""A training that goes on from a kept step of another: its pictures or texts, its recipe, longer or at another rate."""

from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Workspace
from app.db import new_id
from app.jobs import queries as job_queries
from app.jobs.models import Job
from app.projects import queries as projects
from app.trainings import queries
from app.trainings.continuing.kept import Continued, KeptStep, kept_steps
from app.trainings.errors import BrandArchived, NoKeptStep, NothingMore, RateOutOfBounds
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.kind import AnyKind, Draft
from app.trainings.models import HeldOutPoint, JuryReading, LossPoint, Training, TrainingSample, TrainingText
from app.trainings.service import QUEUE, enqueue_training


def continue_training(
    session: Session,
    kind: AnyKind,
    *,
    workspace_id: str,
    training_id: str,
    step: int | None,
    length: int,
    learning_rate: float | None = None,
    created_by: str | None,
    order_id: str | None = None,
) -> Training:
    """Queue a training that goes on from the kept ``step`` of this one (None: from its last) until it has as many
    steps, or epochs of a voice, as ``length`` in all.

    Where the learning rate does not depend on the length (``Kind.is_even``) and stays as it was, the result is to the
    bit what one training of this length gives. ``order_id`` makes it safe to send twice. Raises ``NotFound``,
    ``NoKeptStep``, ``NothingMore``, ``RateOutOfBounds``, ``BrandArchived``, ``AlreadyStarted``, ``QueueFull``,
    ``UnknownBaseModel``.
    """
    earlier = queries.training(session, kind, workspace_id=workspace_id, training_id=training_id)
    project = projects.project(session, workspace_id=workspace_id, project_id=earlier.project_id)
    if project.archived_at is not None:
        raise BrandArchived()
    job = job_queries.job_of(session, earlier.id)
    kept, before = _chosen(earlier, step), kind.recipe.model_validate(earlier.recipe)
    learned = kept.step * getattr(before, kind.length) / max(job.progress_total, kept.step)
    if length <= learned:
        raise NothingMore(learned=round(learned))
    recipe = _changed(kind, before, length, learning_rate)
    further = Training(
        id=order_id or new_id(),
        workspace_id=workspace_id,
        project_id=project.id,
        modality=kind.modality,
        purpose=earlier.purpose,
        base_model=earlier.base_model,
        recipe=recipe.model_dump(mode="json"),
        pictures=earlier.pictures,
        held_out=earlier.held_out,
        voice=earlier.voice,
        estimate=_estimate(session, kind, earlier, recipe, max(1, round(length - learned))).model_dump(mode="json"),
        continues=Continued(training_id=earlier.id, recipe=earlier.recipe, **kept.model_dump()).model_dump(mode="json"),
        created_by=created_by,
    )
    queued, is_new = enqueue_training(session, kind, further, title=project.name)
    if is_new:
        _copy_course(session, earlier, queued, kept.step)
    return queued


def _chosen(training: Training, step: int | None) -> KeptStep:
    found = [one for one in kept_steps(training) if step is None or one.step == step]
    if not found:
        raise NoKeptStep()
    return found[-1]


def _changed(kind: AnyKind, recipe: Any, length: int, learning_rate: float | None) -> Any:
    changes = {kind.length: length} | ({} if learning_rate is None else {"learning_rate": learning_rate})
    try:
        return kind.recipe.model_validate(recipe.model_dump() | changes)
    except ValidationError as error:
        raise RateOutOfBounds() from error


def _estimate(session: Session, kind: AnyKind, earlier: Training, recipe: Any, left: int) -> Estimate:
    """Of what is left to learn, computed as the earlier training was."""
    base = kind.base(session, earlier.workspace_id, earlier.base_model)
    workspace = session.get_one(Workspace, earlier.workspace_id)
    devices = [one.device for one in job_queries.workers_serving(session, QUEUE)]
    rest = recipe.model_copy(update={kind.length: left})
    return kind.estimate(
        session,
        base,
        Draft(rest, kind.frozen(earlier), frozenset()),
        Estimate.model_validate(earlier.estimate).plan,
        Circumstances(devices, workspace.price_per_hour, workspace.currency),
    )


def _copy_course(session: Session, earlier: Training, further: Training, step: int) -> None:
    """What was measured and shown up to that step is the beginning of this training too."""
    for table in (LossPoint, HeldOutPoint, JuryReading, TrainingSample, TrainingText):
        for row in session.scalars(select(table).where(table.training_id == earlier.id, table.step <= step)).all():
            values = {column.key: getattr(row, column.key) for column in table.__table__.columns if column.key != "id"}
            session.add(table(**values | {"training_id": further.id}))
    session.flush()


def held_folders(session: Session) -> set[str]:
    """Of kept steps that a training which has not ended still needs."""
    waiting = select(Training.continues).join(Job, Job.subject_id == Training.id).where(Job.is_open)
    return {str(one["folder"]) for one in session.scalars(waiting) if one}
