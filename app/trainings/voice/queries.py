"""What may be seen of the trainings of voices."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.base_models.catalogue import TextModelEntry
from app.jobs import queries as jobs
from app.jobs.models import Job
from app.projects import queries as projects
from app.trainings import queries, rows
from app.trainings.look.estimate import Estimate
from app.trainings.models import HeldOutPoint, Training, TrainingText
from app.trainings.promises import Grade, graded
from app.trainings.queries import LATEST_MEASUREMENTS, Waiting
from app.trainings.rows import PAGE
from app.trainings.voice.estimate import VoicePace
from app.trainings.voice.measures import Measures
from app.trainings.voice.recipe import VoiceRecipe
from app.trainings.voice.texts import FrozenVoice


def training(session: Session, *, workspace_id: str, training_id: str) -> Training:
    """Raises ``NotFound`` for another workspace's, and for one that learns from pictures."""
    return rows.training(session, workspace_id=workspace_id, training_id=training_id, modality="text")


def of_project(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Training]:
    """A brand's trainings of its voice as ``rows.of_project`` gives them."""
    return rows.of_project(
        session, workspace_id=workspace_id, project_id=project_id, modality="text", before=before, limit=limit
    )


@dataclass(frozen=True)
class VoiceOrder:
    """A training's row as plain values, to be carried across transactions."""

    training_id: str
    project_id: str
    brand: str
    recipe: VoiceRecipe
    base: TextModelEntry
    voice: FrozenVoice

    @property
    def folder(self) -> str:
        """Where the training's files live in the storage."""
        return queries.folder_of(self.project_id, self.training_id)


def order_of(session: Session, *, workspace_id: str, training_id: str) -> VoiceOrder:
    """The frozen order, for the worker that has claimed its job. Raises ``NotFound``, ``UnknownBaseModel``."""
    given = training(session, workspace_id=workspace_id, training_id=training_id)
    project = projects.project(session, workspace_id=workspace_id, project_id=given.project_id)
    return VoiceOrder(
        training_id=given.id,
        project_id=given.project_id,
        brand=project.name,
        recipe=VoiceRecipe.model_validate(given.recipe),
        base=base_models.text_entry(session, workspace_id=workspace_id, key=given.base_model),
        voice=FrozenVoice.model_validate(given.voice),
    )


def held_out_points(session: Session, training_id: str) -> list[HeldOutPoint]:
    return list(
        session.scalars(select(HeldOutPoint).where(HeldOutPoint.training_id == training_id).order_by(HeldOutPoint.step))
    )


def texts(session: Session, training_id: str) -> list[TrainingText]:
    """By step, then by brief."""
    return list(
        session.scalars(
            select(TrainingText)
            .where(TrainingText.training_id == training_id)
            .order_by(TrainingText.step, TrainingText.position)
        )
    )


def paces(session: Session, base_model: str) -> list[VoicePace]:
    """What trainings on this base took, the newest first. Of all workspaces, as a pace tells nothing of anybody."""
    measured = session.execute(
        select(Training, Job)
        .join(Job, Job.subject_id == Training.id)
        .where(
            Training.base_model == base_model,
            Training.modality == "text",
            Training.seconds_per_step.is_not(None),
            Training.measures.is_not(None),
        )
        .order_by(Training.created_at.desc(), Training.id.desc())
        .limit(LATEST_MEASUREMENTS)
    )
    return [_pace(given, job) for given, job in measured]


def _pace(given: Training, job: Job) -> VoicePace:
    recipe, measures = VoiceRecipe.model_validate(given.recipe), Measures.model_validate(given.measures)
    learning = (given.seconds_per_step or 0.0) * measures.steps
    read = FrozenVoice.model_validate(given.voice).characters * recipe.epochs * measures.steps / measures.planned_steps
    return VoicePace(
        measured_at=job.finished_at or given.created_at,
        device=given.device or "",
        recipe=recipe,
        seconds_per_character=learning / max(1.0, read),
        other_seconds=max(0.0, job.device_seconds - learning),
        peak_memory_bytes=given.peak_memory_bytes,
        precision=queries.planned_precision(given),
    )


@dataclass(frozen=True)
class VoiceView:
    """A training of a voice with all that a page shows of it."""

    training: Training
    recipe: VoiceRecipe
    voice: FrozenVoice
    base_name: str
    estimate: Estimate
    measures: Measures | None
    job: Job
    adapter: Adapter | None
    asked_by: str
    waiting: Waiting | None

    @property
    def is_active(self) -> bool:
        return self.job.is_active

    @property
    def took_seconds(self) -> float | None:
        if self.job.started_at is None or self.job.finished_at is None:
            return None
        return (self.job.finished_at - self.job.started_at).total_seconds()

    @property
    def grades(self) -> list[Grade]:
        """How good the promises were, for a training that went through."""
        if self.job.state != "done":
            return []
        return graded(self.estimate, self.training, self.took_seconds, self.adapter)


def view(session: Session, given: Training) -> VoiceView:
    return views(session, [given])[0]


def views(session: Session, given: list[Training]) -> list[VoiceView]:
    """The trainings' pages' facts, in the same order; all of one workspace."""
    ids = [one.id for one in given]
    all_jobs, adapters = jobs.jobs_of(session, ids), queries.adapters_of(session, ids)
    names = accounts.names_of(session, {one.created_by for one in given if one.created_by})
    waiting = queries.waiting_of(session, all_jobs)
    bases = {one.base_model for one in given}
    base_names = base_models.names(session, workspace_id=given[0].workspace_id, keys=bases) if given else {}
    return [
        VoiceView(
            training=one,
            recipe=VoiceRecipe.model_validate(one.recipe),
            voice=FrozenVoice.model_validate(one.voice),
            base_name=base_names[one.base_model],
            estimate=Estimate.model_validate(one.estimate),
            measures=Measures.model_validate(one.measures) if one.measures else None,
            job=all_jobs[one.id],
            adapter=adapters.get(one.id),
            asked_by=names.get(one.created_by or "", ""),
            waiting=waiting.get(one.id),
        )
        for one in given
    ]


@dataclass(frozen=True)
class SampleRow:
    """What one brief became: the base's text, and the latest by the adapter; None where it is still to come."""

    brief: str
    base: str | None
    now: TrainingText | None
    earlier: tuple[TrainingText, ...]


def sample_rows(written: list[TrainingText]) -> list[SampleRow]:
    """One row per brief, the steps of the way behind it."""
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


def facts_for_passport(given: Training) -> dict[str, Any]:
    """What the adapter's card keeps, for an adapter outlives its training."""
    voice = FrozenVoice.model_validate(given.voice)
    return {
        "sample_count": len(voice.learned),
        "held_out_count": len(voice.held_out),
        "language": voice.language,
        "recipe": given.recipe,
    }
