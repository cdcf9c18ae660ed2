"""What may be seen of the trainings of a voice alone."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.models import Job
from app.trainings import queries
from app.trainings.models import HeldOutPoint, Training, TrainingText
from app.trainings.voice.estimate import VoicePace
from app.trainings.voice.freeze import FrozenVoice
from app.trainings.voice.measures import Measures
from app.trainings.voice.recipe import VoiceRecipe


def held_out_points(session: Session, training_id: str) -> list[HeldOutPoint]:
    return list(
        session.scalars(select(HeldOutPoint).where(HeldOutPoint.training_id == training_id).order_by(HeldOutPoint.step))
    )


def texts(session: Session, training_id: str) -> list[TrainingText]:
    """Ordered by step, then by brief."""
    wanted = select(TrainingText).where(TrainingText.training_id == training_id)
    return list(session.scalars(wanted.order_by(TrainingText.step, TrainingText.position)))


@dataclass(frozen=True)
class SampleRow:
    """What one brief became: the base's text, and the latest by the adapter; None where it is still to come."""

    brief: str
    base: str | None
    now: TrainingText | None
    earlier: tuple[TrainingText, ...]


def sample_rows(written: list[TrainingText]) -> list[SampleRow]:
    """One row per brief, with the texts of earlier steps."""
    by_position: dict[int, list[TrainingText]] = {}
    for one in written:
        by_position.setdefault(one.position, []).append(one)
    found = []
    for position in sorted(by_position):
        course = by_position[position]
        learned = [one for one in course if one.step > 0]
        found.append(
            SampleRow(
                brief=course[0].brief,
                base=next((one.text for one in course if one.step == 0), None),
                now=learned[-1] if learned else None,
                earlier=tuple(learned[:-1]),
            )
        )
    return found


@dataclass(frozen=True)
class BeforeAfter:
    """One brief at one seed: as the base alone wrote it, and as the adapter that was kept does."""

    brief: str
    before: str
    after: str


def before_after(rows: list[SampleRow], kept_step: int) -> BeforeAfter | None:
    """Of the first brief that both wrote, by the checkpoint that was kept or the last before it; None without one."""
    for row in rows:
        course = [*row.earlier, *([row.now] if row.now else [])]
        kept = [one for one in course if one.step <= kept_step and one.text.strip()]
        if row.base and row.base.strip() and kept:
            return BeforeAfter(row.brief, row.base, kept[-1].text)
    return None


def paces(session: Session, base_model: str) -> list[VoicePace]:
    """What trainings on this base took, the newest first."""
    found = queries.measured(session, base_model=base_model, modality="text")
    return [_pace(training, job) for training, job, _ in found if training.measures is not None]


def _pace(training: Training, job: Job) -> VoicePace:
    recipe, measures = VoiceRecipe.model_validate(training.recipe), Measures.model_validate(training.measures)
    learning = (training.seconds_per_step or 0.0) * measures.steps
    voice = FrozenVoice.model_validate(training.voice)
    read = voice.characters * recipe.epochs * measures.steps / measures.planned_steps
    return VoicePace(
        measured_at=job.finished_at or training.created_at,
        device=training.device or "",
        recipe=recipe,
        seconds_per_character=learning / max(1.0, read),
        other_seconds=max(0.0, job.device_seconds - learning),
        peak_memory_bytes=training.peak_memory_bytes,
        precision=queries.planned_precision(training),
    )
