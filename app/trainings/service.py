"""What a person may do with trainings: plan one, start it, cancel it. What a worker does is in ``attempts``."""

from dataclasses import dataclass, replace
from typing import Generic

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Workspace
from app.base_files import queries as base_files
from app.db import new_id
from app.images.models import Image
from app.jobs import queries as job_queries
from app.jobs import service as jobs
from app.machine.devices import largest_device
from app.projects import queries as projects
from app.projects.models import Project
from app.trainings import queries
from app.trainings.advice import Warning, warnings_of
from app.trainings.errors import AlreadyStarted, BrandArchived, NotOnThisBase
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.kind import AnyKind, BaseEntry, Frozen, Kind, Overrides
from app.trainings.models import Training
from app.trainings.plans import Recipe, planned

QUEUE = "training"


@dataclass(frozen=True)
class TrainingPlan(Generic[Recipe, BaseEntry, Frozen]):
    """What would happen: shown before the start, and what the start then does."""

    project: Project
    base: BaseEntry
    recipe: Recipe
    frozen: Frozen
    """What it would learn from."""
    pictures: tuple[Image, ...]
    """The brand's own that it would learn from; none for a voice."""
    estimate: Estimate
    warnings: tuple[Warning, ...]
    has_price: bool
    """Whether somebody has said what an hour of the device costs."""

    @property
    def is_possible(self) -> bool:
        return all(warning.kind != "bad" for warning in self.warnings)

    @property
    def is_doubtful(self) -> bool:
        """Whether it is possible, but something speaks so much against it that a person has to start it anyway."""
        return self.is_possible and any(warning.kind == "grave" for warning in self.warnings)


def plan_training(
    session: Session,
    kind: Kind[Recipe, BaseEntry, Frozen, Overrides],
    *,
    workspace_id: str,
    project_id: str,
    overrides: Overrides,
    to_the_letter: bool = False,
) -> TrainingPlan[Recipe, BaseEntry, Frozen]:
    """Work out recipe, estimate and warnings for what the brand has now. Changes nothing.

    Overrides that mean nothing on the base are left out, as the page does not show them; ``to_the_letter`` refuses
    them. Raises ``NotFound``, ``UnknownBaseModel``, ``NotOnThisBase``, and what the kind refuses (``Kind.draft``).
    """
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    base = kind.base(session, workspace_id, overrides.base_model)
    draft = kind.draft(session, project, base, overrides)
    if to_the_letter and draft.meaningless:
        raise NotOnThisBase(fields=", ".join(draft.meaningless), base=base.name)
    workspace = session.get_one(Workspace, workspace_id)
    workers = job_queries.workers_serving(session, QUEUE)
    devices, device = [one.device for one in workers], largest_device(workers)
    plan = kind.plan_for(draft.recipe, base, draft.frozen, device, draft.decided) if device is not None else None
    if plan is not None:
        draft = replace(draft, recipe=planned(draft.recipe, plan))
    circumstances = Circumstances(devices, workspace.price_per_hour, workspace.currency)
    estimate = kind.estimate(session, base, draft, plan, circumstances)
    ready = base.ready or base_files.state(session, workspace_id=workspace_id, key=base.key).is_here
    return TrainingPlan(
        project=project,
        base=base,
        recipe=draft.recipe,
        frozen=draft.frozen,
        pictures=draft.pictures,
        estimate=estimate,
        warnings=tuple(kind.warnings(session, project, base, draft, devices, ready) + warnings_of(estimate)),
        has_price=workspace.price_per_hour is not None,
    )


def start_training(
    session: Session,
    kind: Kind[Recipe, BaseEntry, Frozen, Overrides],
    *,
    workspace_id: str,
    project_id: str,
    overrides: Overrides,
    created_by: str | None,
    order_id: str | None = None,
    to_the_letter: bool = False,
) -> Training:
    """Plan a training and start it. Raises like ``plan_training`` and ``start_planned``."""
    plan = plan_training(
        session,
        kind,
        workspace_id=workspace_id,
        project_id=project_id,
        overrides=overrides,
        to_the_letter=to_the_letter,
    )
    return start_planned(session, kind, plan, created_by=created_by, order_id=order_id)


def start_planned(
    session: Session,
    kind: Kind[Recipe, BaseEntry, Frozen, Overrides],
    plan: TrainingPlan[Recipe, BaseEntry, Frozen],
    *,
    created_by: str | None,
    order_id: str | None = None,
) -> Training:
    """Freeze recipe and material, and queue the job; the plan is one of this session's.

    ``order_id`` makes it safe to send twice: the same request under the same id is the training that there is already.
    Raises ``BrandArchived``, ``AlreadyStarted``, ``TooFewPictures``, ``TooFewTexts``.
    """
    workspace_id, project_id = plan.project.workspace_id, plan.project.id
    if plan.project.archived_at is not None:
        raise BrandArchived()
    kind.refuse_too_few(plan.frozen)
    training = Training(
        id=order_id or new_id(),
        workspace_id=workspace_id,
        project_id=project_id,
        modality=kind.modality,
        base_model=plan.base.key,
        recipe=plan.recipe.model_dump(mode="json"),
        estimate=plan.estimate.model_dump(mode="json"),
        created_by=created_by,
        **kind.columns(plan.recipe, plan.frozen),
    )
    known = session.get(Training, training.id)
    if known is not None:
        if known.workspace_id != workspace_id or _asked(known) != _asked(training):
            raise AlreadyStarted()
        return known
    try:
        with session.begin_nested():
            session.add(training)
    except IntegrityError as error:
        raise AlreadyStarted() from error
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=project_id,
        kind=kind.job_kind,
        subject_id=training.id,
        title=plan.project.name,
        created_by=created_by,
    )
    return training


def _asked(training: Training) -> tuple[object, ...]:
    return training.modality, training.recipe, training.pictures, training.voice


def cancel_training(session: Session, kind: AnyKind, *, workspace_id: str, training_id: str) -> Training:
    """Ask the training to stop; what it has learned so far is kept as an adapter.

    Raises ``NotFound``, ``AlreadyEnded``.
    """
    training = queries.training(session, kind, workspace_id=workspace_id, training_id=training_id)
    job = job_queries.job_of(session, training.id)
    jobs.request_cancel(session, workspace_id=workspace_id, job_id=job.id)
    return training
