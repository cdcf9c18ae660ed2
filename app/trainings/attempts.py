"""What a worker writes about the training that it carries out; every call is guarded by the claim's fencing token."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.adapters import service as adapters
from app.adapters.models import Adapter
from app.adapters.service import AdapterFiles
from app.db import now
from app.jobs import claims, outcomes
from app.jobs import queries as job_queries
from app.jobs.claims import Claim
from app.machine.devices import Device
from app.trainings.errors import DeviceTooSmall
from app.trainings.estimates import Estimate, FirstSteps
from app.trainings.kinds import kind_of
from app.trainings.models import HeldOutPoint, LossPoint, Training, TrainingSample, TrainingText
from app.trainings.plans import Plan, planned, shortage, suits, unplanned
from app.trainings.voice.measures import Measures


@dataclass(frozen=True)
class Loss:
    step: int
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class Sample:
    """A sample picture whose file is stored already."""

    step: int
    position: int
    prompt: str
    seed: int
    key: str
    width: int
    height: int


@dataclass(frozen=True)
class WrittenSample:
    """A sample text."""

    step: int
    position: int
    brief: str
    seed: int
    text: str


@dataclass(frozen=True)
class Outcome:
    """What came out of the loop, as measured."""

    steps: int
    finished: bool
    rank: int
    alpha: float
    final_loss: float | None
    seconds_per_step: float | None
    peak_memory_bytes: int | None
    device: str
    precision: str
    skipped_steps: int
    measures: Measures | None = None
    """Of a voice."""


def _held(session: Session, claim: Claim, *, with_result: bool = False) -> Training:
    """The claim's training, while the claim holds it. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, with_result=with_result)
    return session.get_one(Training, claim.subject_id)


# How it is carried out -----------------------------------------------------------------------------------------------


def replan(session: Session, claim: Claim, device: Device) -> Any:
    """The training's recipe as it suits the device that has taken it; where that has less memory than the plan was made
    for, there is another plan, which the training's page tells. Raises ``DeviceTooSmall``, ``LeaseLost``.
    """
    training = _held(session, claim)
    kind = kind_of(training)
    recipe, estimate = kind.recipe.model_validate(training.recipe), Estimate.model_validate(training.estimate)
    plan, base = estimate.plan, kind.base(session, training.workspace_id, training.base_model)
    if plan is not None and (not plan.fits or suits(plan, base, device)):
        return recipe
    frozen = kind.frozen(training)
    whole = recipe if plan is None else unplanned(recipe, plan)
    decided = kind.decided_in(recipe, base, frozen) if plan is None else frozenset(plan.decided)
    if decided is None:
        return recipe
    found = kind.plan_for(whole, base, frozen, device, decided)
    if plan is not None and (found is None or not found.fits):
        raise DeviceTooSmall()
    if found is None:
        return recipe
    return _follow(session, training, whole, found, moved_from=estimate.moved_from or plan)


def fall_back(session: Session, claim: Claim, device: Device) -> Any | None:
    """Give a training whose steps do not fit the memory a plan with the base in fewer bits, and return the recipe for
    it.

    None where there is none: nothing can be planned, or it was the last one already. Raises ``LeaseLost``.
    """
    training = _held(session, claim)
    kind = kind_of(training)
    recipe, estimate = kind.recipe.model_validate(training.recipe), Estimate.model_validate(training.estimate)
    base, frozen = kind.base(session, training.workspace_id, training.base_model), kind.frozen(training)
    plan = estimate.plan or kind.as_plan(recipe, base, frozen, device)
    if plan is None:
        return None
    whole = unplanned(recipe, plan)
    found = kind.fallback_for(whole, base, frozen, device, plan)
    if found is None:
        return None
    return _follow(session, training, whole, found, fell_back_from=estimate.fell_back_from or plan, shortage=None)


def _follow(session: Session, training: Training, whole: Any, plan: Plan, **told: Plan | None) -> Any:
    """Keep another plan, and what the page tells of it; returns the recipe for it. What the first steps of an earlier
    plan measured says nothing any more."""
    recipe = planned(whole, plan)
    training.recipe = recipe.model_dump(mode="json")
    _tell(session, training, plan=plan, first_steps=None, **told)
    return recipe


def _tell(session: Session, training: Training, **told: Any) -> None:
    estimate = Estimate.model_validate(training.estimate).model_copy(update=told)
    training.estimate = estimate.model_dump(mode="json")
    session.flush()


def note_shortage(session: Session, claim: Claim, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
    """Keep for the training's page how it goes on after its memory ran out in a step. Raises ``LeaseLost``."""
    training = _held(session, claim)
    kind = kind_of(training)
    recipe = kind.recipe.model_validate(training.recipe)
    told = shortage(recipe, micro_batch_size, gradient_checkpointing, kind.sentences)
    _tell(session, training, shortage=told, first_steps=None)


def note_first_steps(session: Session, claim: Claim, first: FirstSteps) -> None:
    """Keep what the first steps measured, for the training's page. What those of an earlier attempt measured stays,
    unless its steps were computed in another way. Raises ``LeaseLost``.
    """
    training = _held(session, claim)
    if Estimate.model_validate(training.estimate).first_steps is not None:
        return
    started_at = job_queries.job_of(session, training.id).started_at
    elapsed = (now() - started_at).total_seconds() if started_at is not None else 0.0
    _tell(session, training, first_steps=first.model_copy(update={"seconds": elapsed + first.seconds_left}))


# What it measures and shows ------------------------------------------------------------------------------------------


def begin_attempt(session: Session, claim: Claim, *, from_step: int) -> None:
    """Forget what an earlier attempt noted beyond the checkpoint that this one goes on from, or, without one, from the
    beginning: losses, held-out losses and sample texts. Sample pictures stay until they are drawn again.

    Raises ``LeaseLost``.
    """
    training = _held(session, claim)
    after = from_step if from_step else -1
    for table in (LossPoint, HeldOutPoint, TrainingText):
        session.execute(delete(table).where(table.training_id == training.id, table.step > after))


def note_losses(session: Session, claim: Claim, losses: Sequence[Loss]) -> None:
    """Raises ``LeaseLost``."""
    claims.assert_lease(session, claim)
    for one in losses:
        session.merge(
            LossPoint(training_id=claim.subject_id, step=one.step, loss=one.loss, learning_rate=one.learning_rate)
        )
    session.flush()


def note_held_out(session: Session, claim: Claim, *, step: int, loss: float) -> None:
    """Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, with_result=True)
    session.merge(HeldOutPoint(training_id=claim.subject_id, step=step, loss=loss))
    session.flush()


def note_sample(session: Session, claim: Claim, sample: Sample | WrittenSample) -> None:
    """Add a sample in place of one that an earlier attempt made at the same step. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, with_result=True)
    table = TrainingSample if isinstance(sample, Sample) else TrainingText
    session.execute(
        delete(table).where(
            table.training_id == claim.subject_id, table.step == sample.step, table.position == sample.position
        )
    )
    session.add(table(workspace_id=claim.workspace_id, training_id=claim.subject_id, **vars(sample)))
    session.flush()


# How it ends ---------------------------------------------------------------------------------------------------------


def complete_training(
    session: Session,
    claim: Claim,
    *,
    adapter_id: str,
    version: int | None,
    files: AdapterFiles,
    outcome: Outcome,
    finished_at: datetime,
) -> Adapter:
    """Register the adapter, note what was measured and end the job, in one transaction.

    ``version``: the one that stands in the files' headers; None takes the brand's next. An ``outcome`` that is not
    finished was stopped by a person: the adapter says so in its note, and the job ends as cancelled. Raises
    ``LeaseLost``, and ``VersionTaken`` when another training of the brand was faster.
    """
    training = _held(session, claim)
    kind = kind_of(training)
    training.seconds_per_step, training.device = outcome.seconds_per_step, outcome.device[:120]
    training.peak_memory_bytes = outcome.peak_memory_bytes
    training.measures = outcome.measures.model_dump(mode="json") if outcome.measures is not None else None
    adapter = adapters.register(
        session,
        adapter_id=adapter_id,
        workspace_id=training.workspace_id,
        project_id=training.project_id,
        training_id=training.id,
        version=version,
        modality=training.modality,
        purpose=training.purpose,
        base_model=training.base_model,
        rank=outcome.rank,
        alpha=outcome.alpha,
        trigger_word=kind.trigger_word(kind.recipe.model_validate(training.recipe)),
        files=files,
        facts=_facts(outcome, finished_at) | {"recipe": training.recipe} | kind.passport(session, training),
        created_by=training.created_by,
    )
    if outcome.finished:
        outcomes.finish(session, claim)
    else:
        outcomes.end_cancelled(session, claim)
    return adapter


def _facts(outcome: Outcome, finished_at: datetime) -> dict[str, Any]:
    """What both kinds of adapter keep of how they were made, for an adapter outlives its training."""
    return {
        "steps": outcome.steps,
        "finished": outcome.finished,
        "final_loss": outcome.final_loss,
        "seconds_per_step": outcome.seconds_per_step,
        "peak_memory_bytes": outcome.peak_memory_bytes,
        "device": outcome.device,
        "precision": outcome.precision,
        "skipped_steps": outcome.skipped_steps,
        "trained_at": finished_at.isoformat(),
    }
