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
from app.trainings.look.jury import FIRST_POSITION, Reading
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import JuryReading, Training, TrainingSample

MOST_THUMBNAILS = 60
MOST_REPEATED = 4


def pictures_left(session: Session, training: Training) -> list[Image]:
    """Those pictures of the training that have not been deleted since, in the order of its row."""
    ids = [str(picture["image_id"]) for picture in training.pictures]
    return images.images(session, workspace_id=training.workspace_id, image_ids=ids[:MOST_THUMBNAILS])


def samples(session: Session, training_id: str) -> list[TrainingSample]:
    """Those that people watch, ordered by step, then by prompt."""
    return list(
        session.scalars(
            select(TrainingSample)
            .where(TrainingSample.training_id == training_id, TrainingSample.position < FIRST_POSITION)
            .order_by(TrainingSample.step, TrainingSample.position)
        )
    )


def drawn_at(session: Session, training_id: str, step: int) -> list[TrainingSample]:
    """All of one step, the jury's own last."""
    return list(
        session.scalars(
            select(TrainingSample)
            .where(TrainingSample.training_id == training_id, TrainingSample.step == step)
            .order_by(TrainingSample.position)
        )
    )


def readings(session: Session, training_id: str) -> dict[int, Reading]:
    """What the jury measured, by the step; the base alone is step 0."""
    rows = session.scalars(select(JuryReading).where(JuryReading.training_id == training_id).order_by(JuryReading.step))
    return {row.step: Reading.model_validate(row.reading) for row in rows}


@dataclass(frozen=True)
class Repeated:
    """A drawing beside the learned picture that it repeats; None where that has been deleted since."""

    drawn: TrainingSample
    image: Image | None


def repeated(session: Session, training: Training, found: dict[int, Reading]) -> list[Repeated]:
    """The most alike drawing for each picture that was repeated, at most ``MOST_REPEATED``."""
    closest: dict[str, tuple[float, int, int]] = {}
    for step, reading in found.items():
        for copy in reading.copies:
            closest[copy.image_id] = max(closest.get(copy.image_id, (-1.0, 0, 0)), (copy.likeness, step, copy.position))
    ids = sorted(closest, key=lambda image_id: closest[image_id], reverse=True)[:MOST_REPEATED]
    there = {one.id: one for one in images.images(session, workspace_id=training.workspace_id, image_ids=ids)}
    pairs = []
    for image_id in ids:
        _, step, position = closest[image_id]
        drawn = next((one for one in drawn_at(session, training.id, step) if one.position == position), None)
        if drawn is not None:
            pairs.append(Repeated(drawn, there.get(image_id)))
    return pairs


def has_sample(session: Session, key: str) -> bool:
    """Whether a row points to this file."""
    return session.scalar(select(TrainingSample.id).where(TrainingSample.key == key)) is not None


def sample_count(session: Session, training_id: str) -> int:
    watched = (TrainingSample.training_id == training_id, TrainingSample.position < FIRST_POSITION)
    return session.scalar(select(func.count()).where(*watched)) or 0


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
    steps -= training.continues["step"] if training.continues else 0
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
