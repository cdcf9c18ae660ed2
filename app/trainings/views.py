"""A training with all that its page, a list and the API show of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Generic

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.jobs import queries as jobs
from app.jobs.models import Job
from app.jobs.queries import QueuePosition
from app.trainings import queries
from app.trainings.estimates import Estimate
from app.trainings.kind import BaseEntry, Frozen, Kind, Overrides
from app.trainings.models import Training
from app.trainings.plans import Recipe
from app.trainings.promises import Grade, graded
from app.trainings.voice.measures import Measures


@dataclass(frozen=True)
class TrainingView(Generic[Recipe, Frozen]):
    """A training of one kind."""

    training: Training
    recipe: Recipe
    frozen: Frozen
    """What it learns from."""
    base_name: str
    estimate: Estimate
    job: Job
    adapter: Adapter | None
    asked_by: str
    waiting: QueuePosition | None

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

    @cached_property
    def measures(self) -> Measures | None:
        """On a voice's validation split, once it has ended; None for pictures."""
        return Measures.model_validate(self.training.measures) if self.training.measures else None


def view(
    session: Session, kind: Kind[Recipe, BaseEntry, Frozen, Overrides], training: Training
) -> TrainingView[Recipe, Frozen]:
    return views(session, kind, [training])[0]


def views(
    session: Session, kind: Kind[Recipe, BaseEntry, Frozen, Overrides], trainings: list[Training]
) -> list[TrainingView[Recipe, Frozen]]:
    """In the same order; all of one workspace and of this kind."""
    if not trainings:
        return []
    ids = [one.id for one in trainings]
    all_jobs, adapters = jobs.jobs_of(session, ids), queries.adapters_of(session, ids)
    names = accounts.names_of(session, {one.created_by for one in trainings if one.created_by})
    waiting = waiting_of(session, all_jobs)
    keys = {one.base_model for one in trainings}
    bases = base_models.names(session, workspace_id=trainings[0].workspace_id, keys=keys)
    return [
        TrainingView(
            training=one,
            recipe=kind.recipe.model_validate(one.recipe),
            frozen=kind.frozen(one),
            base_name=bases[one.base_model],
            estimate=Estimate.model_validate(one.estimate),
            job=all_jobs[one.id],
            adapter=adapters.get(one.id),
            asked_by=names.get(one.created_by or "", ""),
            waiting=waiting.get(one.id),
        )
        for one in trainings
    ]


def waiting_of(session: Session, all_jobs: dict[str, Job]) -> dict[str, QueuePosition]:
    """By the training's id, for those that wait."""
    positions = jobs.queue_positions(session, list(all_jobs.values()))
    return {training_id: positions[job.id] for training_id, job in all_jobs.items() if job.id in positions}
