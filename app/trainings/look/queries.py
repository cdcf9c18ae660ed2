"""What may be seen of trainings on pictures alone."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.db import own
from app.images import queries as images
from app.images.models import Image
from app.jobs.models import Job
from app.trainings import queries
from app.trainings.look.estimate import Measurement
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import Training, TrainingSample

MOST_THUMBNAILS = 60


def pictures_left(session: Session, training: Training) -> list[Image]:
    """Those pictures of the training that have not been deleted since, in the order of its row."""
    ids = [str(picture["image_id"]) for picture in training.pictures]
    return images.images(session, workspace_id=training.workspace_id, image_ids=ids[:MOST_THUMBNAILS])


def samples(session: Session, training_id: str) -> list[TrainingSample]:
    """Ordered by step, then by prompt."""
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


@dataclass(frozen=True)
class SampleRow:
    """The pictures of one step, one place per prompt; None where the picture is still to come."""

    step: int
    pictures: tuple[TrainingSample | None, ...]


def sample_rows(drawn: list[TrainingSample], prompts: tuple[str, ...]) -> list[SampleRow]:
    """The base's row first, then one per checkpoint, with a place for each of the prompts from the start."""
    places = range(len(prompts))
    by_step: dict[int, dict[int, TrainingSample]] = {}
    for one in drawn:
        by_step.setdefault(one.step, {})[one.position] = one
    return [SampleRow(step, tuple(by_step[step].get(place) for place in places)) for step in sorted(by_step)]


@dataclass(frozen=True)
class BeforeAfter:
    """One prompt at one seed: as the base alone drew it, and as the latest checkpoint did."""

    before: TrainingSample
    after: TrainingSample


def before_after(drawn: list[TrainingSample]) -> BeforeAfter | None:
    """Of the first prompt that both drew; nothing measures which picture is better. None where there is no such
    pair."""
    base = {one.position: one for one in drawn if one.step == 0}
    latest = max((one.step for one in drawn if one.position in base), default=0)
    if not latest:
        return None
    after = min((one for one in drawn if one.step == latest and one.position in base), key=lambda one: one.position)
    return BeforeAfter(base[after.position], after)


def measurements(session: Session, base_model: str) -> list[Measurement]:
    """What trainings on this base took, the newest first."""
    return [_measured(*row) for row in queries.measured(session, base_model=base_model, modality="image")]


def _measured(training: Training, job: Job, adapter: Adapter | None) -> Measurement:
    recipe = TrainingRecipe.model_validate(training.recipe)
    pace = training.seconds_per_step or 0.0
    steps = job.progress_done if job.state == "cancelled" else recipe.steps
    return Measurement(
        measured_at=job.finished_at or training.created_at,
        device=training.device or "",
        recipe=recipe,
        seconds_per_step=pace,
        other_seconds=max(0.0, job.device_seconds - pace * steps),
        peak_memory_bytes=training.peak_memory_bytes,
        bytes_per_rank=adapter.byte_count / adapter.rank if adapter is not None else None,
        precision=queries.planned_precision(training),
    )
