"""What may be seen of trainings."""

from dataclasses import dataclass, fields
from datetime import datetime
from statistics import fmean

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry
from app.db import own
from app.images import queries as images
from app.images.models import Image
from app.jobs import queries as jobs
from app.jobs.models import Job
from app.projects import queries as projects
from app.trainings import rows
from app.trainings.look.estimate import Estimate, Measurement
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import LossPoint, Training, TrainingSample
from app.trainings.promises import Grade, graded
from app.trainings.rows import PAGE

LATEST_MEASUREMENTS = 50
MOST_THUMBNAILS = 60


def training(session: Session, *, workspace_id: str, training_id: str) -> Training:
    """Raises ``NotFound`` for another workspace's training too, and for that of a voice (``voice_queries``)."""
    return rows.training(session, workspace_id=workspace_id, training_id=training_id, modality="image")


def of_project(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Training]:
    """A brand's trainings as ``rows.of_project`` gives them."""
    return rows.of_project(
        session, workspace_id=workspace_id, project_id=project_id, modality="image", before=before, limit=limit
    )


@dataclass(frozen=True)
class FrozenPicture:
    """A picture as it was when the training was ordered, and the crop that training sees."""

    working_key: str
    filename: str
    caption: str
    left: int
    top: int
    width: int
    height: int
    target_width: int
    target_height: int


@dataclass(frozen=True)
class TrainingOrder:
    """A training's row as plain values, to be carried across transactions."""

    training_id: str
    project_id: str
    brand: str
    recipe: TrainingRecipe
    base: BaseModelEntry
    pictures: tuple[FrozenPicture, ...]

    @property
    def folder(self) -> str:
        """Where the training's files live in the storage."""
        return folder_of(self.project_id, self.training_id)


def folder_of(project_id: str, training_id: str) -> str:
    return f"projects/{project_id}/trainings/{training_id}"


def order_of(session: Session, *, workspace_id: str, training_id: str) -> TrainingOrder:
    """The frozen order, for the worker that has claimed its job. Raises ``NotFound``, ``UnknownBaseModel``."""
    given = training(session, workspace_id=workspace_id, training_id=training_id)
    project = projects.project(session, workspace_id=workspace_id, project_id=given.project_id)
    names = [field.name for field in fields(FrozenPicture)]
    return TrainingOrder(
        training_id=given.id,
        project_id=given.project_id,
        brand=project.name,
        recipe=TrainingRecipe.model_validate(given.recipe),
        base=base_models.entry(session, workspace_id=workspace_id, key=given.base_model),
        pictures=tuple(FrozenPicture(**{name: picture[name] for name in names}) for picture in given.pictures),
    )


def pictures_left(session: Session, given: Training) -> list[Image]:
    """Those pictures of the order that have not been deleted since, in its order."""
    ids = [str(picture["image_id"]) for picture in given.pictures]
    return images.images(session, workspace_id=given.workspace_id, image_ids=ids[:MOST_THUMBNAILS])


def running_of(session: Session, *, workspace_id: str, project_id: str) -> str | None:
    """Id of the brand's training that runs, else of the first that waits."""
    active = jobs.active(session, workspace_id=workspace_id)
    return next((job.subject_id for job in active if job.project_id == project_id and job.kind == "training"), None)


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


def samples(session: Session, training_id: str) -> list[TrainingSample]:
    """By step, then by prompt."""
    return list(
        session.scalars(
            select(TrainingSample)
            .where(TrainingSample.training_id == training_id)
            .order_by(TrainingSample.step, TrainingSample.position)
        )
    )


def has_sample(session: Session, key: str) -> bool:
    """Whether a row points to this file."""
    return session.scalar(select(TrainingSample.id).where(TrainingSample.key == key)) is not None


def sample_count(session: Session, training_id: str) -> int:
    return session.scalar(select(func.count()).where(TrainingSample.training_id == training_id)) or 0


def sample(session: Session, *, workspace_id: str, training_id: str, sample_id: str) -> TrainingSample:
    """Raises ``NotFound``."""
    return own(session, TrainingSample, sample_id, workspace_id, TrainingSample.training_id == training_id)


def adapters_of(session: Session, training_ids: list[str]) -> dict[str, Adapter]:
    """The adapter that each training left, by the training's id."""
    if not training_ids:
        return {}
    found = session.scalars(select(Adapter).where(Adapter.training_id.in_(training_ids)))
    return {str(row.training_id): row for row in found}


def measurements(session: Session, base_model: str) -> list[Measurement]:
    """What trainings on this base took, the newest first.

    Of all workspaces: a machine's pace tells nothing about anybody's pictures, and a new workspace needs it too.
    """
    measured = session.execute(
        select(Training, Job, Adapter)
        .join(Job, Job.subject_id == Training.id)
        .outerjoin(Adapter, Adapter.training_id == Training.id)
        .where(
            Training.base_model == base_model,
            Training.modality == "image",
            Training.seconds_per_step.is_not(None),
        )
        .order_by(Training.created_at.desc(), Training.id.desc())
        .limit(LATEST_MEASUREMENTS)
    )
    return [_measured(given, job, adapter) for given, job, adapter in measured]


def _measured(given: Training, job: Job, adapter: Adapter | None) -> Measurement:
    recipe = TrainingRecipe.model_validate(given.recipe)
    pace = given.seconds_per_step or 0.0
    steps = job.progress_done if job.state == "cancelled" else recipe.steps
    return Measurement(
        measured_at=job.finished_at or given.created_at,
        device=given.device or "",
        recipe=recipe,
        seconds_per_step=pace,
        other_seconds=max(0.0, job.device_seconds - pace * steps),
        peak_memory_bytes=given.peak_memory_bytes,
        bytes_per_rank=adapter.byte_count / adapter.rank if adapter is not None else None,
        precision=planned_precision(given),
    )


def planned_precision(given: Training) -> str | None:
    """None where no plan was made."""
    plan = Estimate.model_validate(given.estimate).plan
    return None if plan is None else plan.precision


@dataclass(frozen=True)
class SampleRow:
    """The pictures of one step, one place per prompt; None where the picture is still to come."""

    step: int
    pictures: tuple[TrainingSample | None, ...]


def sample_rows(drawn: list[TrainingSample], prompts: tuple[str, ...]) -> list[SampleRow]:
    """The base's row first, then one per checkpoint, with a place for each of the order's prompts from the start."""
    places = range(len(prompts))
    by_step: dict[int, dict[int, TrainingSample]] = {}
    for one in drawn:
        by_step.setdefault(one.step, {})[one.position] = one
    return [SampleRow(step, tuple(by_step[step].get(place) for place in places)) for step in sorted(by_step)]


@dataclass(frozen=True)
class Waiting:
    """Why a training does not run yet."""

    ahead: int
    seconds: float | None
    """Until the one that runs now is through; None where nobody can know."""
    nobody_serves: bool


@dataclass(frozen=True)
class TrainingView:
    """A training with all that a page shows of it."""

    training: Training
    recipe: TrainingRecipe
    base_name: str
    estimate: Estimate
    job: Job
    adapter: Adapter | None
    asked_by: str
    waiting: Waiting | None

    @property
    def is_active(self) -> bool:
        return self.job.is_active

    @property
    def took_seconds(self) -> float | None:
        """From the first start to the end; None while it runs."""
        if self.job.started_at is None or self.job.finished_at is None:
            return None
        return (self.job.finished_at - self.job.started_at).total_seconds()

    @property
    def grades(self) -> list[Grade]:
        """How good the promises were, for a training that went through; those alone that there is a measure of."""
        if self.job.state != "done":
            return []
        return graded(self.estimate, self.training, self.took_seconds, self.adapter)

    @property
    def steps_done(self) -> int:
        """Steps that count: those of the adapter, else as far as the job got."""
        return int(self.adapter.facts.get("steps", 0)) if self.adapter is not None else self.job.progress_done


def view(session: Session, given: Training) -> TrainingView:
    return views(session, [given])[0]


def views(session: Session, given: list[Training]) -> list[TrainingView]:
    """The trainings' pages' facts, in the same order; all of one workspace."""
    ids = [one.id for one in given]
    all_jobs, adapters = jobs.jobs_of(session, ids), adapters_of(session, ids)
    names = accounts.names_of(session, {one.created_by for one in given if one.created_by})
    waiting = waiting_of(session, all_jobs)
    bases = (
        base_models.names(session, workspace_id=given[0].workspace_id, keys={one.base_model for one in given})
        if given
        else {}
    )
    return [
        TrainingView(
            training=one,
            recipe=TrainingRecipe.model_validate(one.recipe),
            base_name=bases[one.base_model],
            estimate=Estimate.model_validate(one.estimate),
            job=all_jobs[one.id],
            adapter=adapters.get(one.id),
            asked_by=names.get(one.created_by or "", ""),
            waiting=waiting.get(one.id),
        )
        for one in given
    ]


def waiting_of(session: Session, all_jobs: dict[str, Job]) -> dict[str, Waiting]:
    """By the training's id, for those that wait."""
    queued = {training_id: job for training_id, job in all_jobs.items() if job.state == "queued"}
    if not queued:
        return {}
    ahead, unserved = jobs.ahead_of(session, list(queued.values())), jobs.queues_without_worker(session)
    until_free = {queue: jobs.seconds_until_free(session, queue) for queue in {job.queue for job in queued.values()}}
    return {
        # A worker may have taken it since it was read.
        training_id: Waiting(ahead.get(job.id, 0), until_free[job.queue], job.queue in unserved)
        for training_id, job in queued.items()
    }
