"""What may happen to a training: planned, ordered, watched, ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Workspace
from app.adapters import service as adapters
from app.adapters.models import Adapter
from app.adapters.service import AdapterFiles
from app.base_files import queries as base_files
from app.base_models import catalogue
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry
from app.db import new_id, now
from app.images import queries as images
from app.images.crops import bucket_sizes, training_crop
from app.images.models import Image
from app.jobs import claims, outcomes
from app.jobs import queries as job_queries
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.jobs.models import Worker
from app.projects import queries as projects
from app.projects.models import Project
from app.trainings import queries
from app.trainings.errors import (
    BadResolution,
    BrandPutAway,
    DeviceTooSmall,
    DoraAlone,
    LokrAlone,
    NoTextEncoder,
    NotOnThisBase,
    OrderTaken,
    TooFewPictures,
)
from app.trainings.look.choices import TrainingChoices
from app.trainings.look.estimate import Estimate, FirstSteps, estimate_for
from app.trainings.look.needs import Precision
from app.trainings.look.planner import Device, next_coarser, plan_for, planned, shortage, suits, unplanned
from app.trainings.look.presets import known_to, recipe_for, unheard
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.look.warnings import FEWEST, Warning, warnings_for
from app.trainings.models import LossPoint, Training, TrainingSample

PRECISIONS: dict[str, Precision] = {"bfloat16": "bfloat16", "float16": "float16", "float32": "float32"}


@dataclass(frozen=True)
class TrainingPlan:
    """What would happen: shown before the start, and what the start then does."""

    project: Project
    base: BaseModelEntry
    recipe: TrainingRecipe
    pictures: tuple[Image, ...]
    estimate: Estimate
    warnings: tuple[Warning, ...]
    has_price: bool
    """Whether somebody has said what an hour of the device costs."""

    @property
    def is_possible(self) -> bool:
        return all(warning.kind != "bad" for warning in self.warnings)


def plan_training(
    session: Session, *, workspace_id: str, project_id: str, choices: TrainingChoices, to_the_letter: bool = False
) -> TrainingPlan:
    """Work out recipe, estimate and warnings for the brand's included pictures. Changes nothing.

    Choices that the base knows nothing of are left out, as the page does not show them; ``to_the_letter`` refuses them.
    Raises ``NotFound``, ``UnknownBaseModel``, ``NotOnThisBase``, and like ``check_recipe``.
    """
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    base_key = choices.base_model or catalogue.all_models()[0].key
    base = base_models.entry(session, workspace_id=workspace_id, key=base_key)
    pictures = images.all_images(session, workspace_id=workspace_id, project_id=project_id, only_included=True)
    changes = choices.changes()
    recipe = recipe_for(
        choices.purpose,
        base,
        trigger_word=changes.pop("trigger_word", project.trigger_word),
        captions=[picture.caption for picture in pictures],
        changes=changes,
    )
    check_recipe(recipe, base)
    if to_the_letter and (names := unheard(changes, recipe, base)):
        raise NotOnThisBase(fields=", ".join(names), base=base.name)
    workspace = session.get_one(Workspace, workspace_id)
    workers = job_queries.workers_serving(session, "training")
    device = largest_device(workers)
    plan = plan_for(recipe, base, device, frozenset(known_to(base, changes))) if device is not None else None
    if plan is not None:
        recipe = planned(recipe, plan)
    estimate = estimate_for(
        recipe,
        base,
        queries.measurements(session, base.key),
        devices=[one.device for one in workers],
        price_per_hour=workspace.price_per_hour,
        currency=workspace.currency,
        plan=plan,
    )
    ready = base.ready or base_files.state(session, workspace_id=workspace_id, key=base.key).is_here
    warnings = warnings_for(pictures, recipe, ready=ready, gated=base.gated, distilled=base.distilled)
    return TrainingPlan(
        project, base, recipe, tuple(pictures), estimate, tuple(warnings), workspace.price_per_hour is not None
    )


def check_recipe(recipe: TrainingRecipe, base: BaseModelEntry) -> None:
    """Whether this base can do it. Raises ``BadResolution``, ``NoTextEncoder``, ``LokrAlone``, ``DoraAlone``."""
    smallest, largest = min(base.resolutions), max(base.resolutions)
    for side in (recipe.resolution, *recipe.extra_resolutions):
        if side % base.multiple or not smallest <= side <= largest:
            raise BadResolution(
                base=base.name, smallest=smallest, largest=largest, multiple=base.multiple, resolution=side
            )
    if recipe.train_text_encoder and not base.trains_text_encoder:
        raise NoTextEncoder(base=base.name)
    if recipe.train_text_encoder and recipe.network == "lokr":
        raise LokrAlone()
    if recipe.train_text_encoder and recipe.network == "dora":
        raise DoraAlone()


def largest_device(workers: Sequence[Worker]) -> Device | None:
    """The device with the most memory among those that would do it; None while none has said what it has."""
    known = [one for one in workers if one.device_memory_bytes]
    if not known:
        return None
    chosen = max(known, key=lambda one: (one.device_kind == "cuda", one.device_memory_bytes or 0))
    return Device(
        chosen.device,
        "cuda" if chosen.device_kind == "cuda" else "cpu",
        chosen.device_memory_bytes or 0,
        chosen.device_tera_operations,
        PRECISIONS.get(chosen.device_computes_in or ""),
    )


def plan_for_taker(session: Session, claim: Claim, device: Device) -> TrainingRecipe:
    """The training's recipe as it suits the device that has taken it; where that has less memory than the plan was made
    for, there is another plan, which the training's page tells. Raises ``DeviceTooSmall``, ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    training = session.get_one(Training, claim.subject_id)
    recipe, estimate = TrainingRecipe.model_validate(training.recipe), Estimate.model_validate(training.estimate)
    plan = estimate.plan
    base = base_models.entry(session, workspace_id=training.workspace_id, key=training.base_model)
    if plan is None or not plan.fits or suits(plan, base, device):
        return recipe
    whole = unplanned(recipe, plan)
    found = plan_for(whole, base, device, frozenset(plan.decided))
    if found is None or not found.fits:
        raise DeviceTooSmall()
    recipe = planned(whole, found)
    training.recipe = recipe.model_dump(mode="json")
    training.estimate = estimate.model_copy(
        update={"plan": found, "moved_from": estimate.moved_from or plan, "first_steps": None}
    ).model_dump(mode="json")
    session.flush()
    return recipe


def fall_back(session: Session, claim: Claim, device: Device) -> TrainingRecipe | None:
    """Give a training whose steps do not fit the memory a plan with a coarser base, and return the recipe for it.

    None where there is none: no plan was made, or it was the coarsest already. Raises ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    training = session.get_one(Training, claim.subject_id)
    recipe, estimate = TrainingRecipe.model_validate(training.recipe), Estimate.model_validate(training.estimate)
    if estimate.plan is None:
        return None
    whole = unplanned(recipe, estimate.plan)
    base = base_models.entry(session, workspace_id=training.workspace_id, key=training.base_model)
    coarser = next_coarser(whole, base, device, estimate.plan)
    if coarser is None:
        return None
    recipe = planned(whole, coarser)
    training.recipe = recipe.model_dump(mode="json")
    training.estimate = estimate.model_copy(
        update={
            "plan": coarser,
            "fell_back_from": estimate.fell_back_from or estimate.plan,
            "shortage": None,
            "first_steps": None,
        }
    ).model_dump(mode="json")
    session.flush()
    return recipe


def start_training(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    choices: TrainingChoices,
    created_by: str | None,
    order_id: str | None = None,
    to_the_letter: bool = False,
) -> Training:
    """Freeze the order and queue its job.

    ``order_id`` makes it safe to send twice: the same order under the same id is the training that there is already.
    Raises like ``plan_training``, and ``TooFewPictures``, ``BrandPutAway``, ``OrderTaken``.
    """
    plan = plan_training(
        session, workspace_id=workspace_id, project_id=project_id, choices=choices, to_the_letter=to_the_letter
    )
    if plan.project.archived_at is not None:
        raise BrandPutAway()
    if len(plan.pictures) < FEWEST:
        raise TooFewPictures(count=len(plan.pictures), needed=FEWEST)
    order = Training(
        id=order_id or new_id(),
        workspace_id=workspace_id,
        project_id=project_id,
        purpose=plan.recipe.purpose,
        base_model=plan.base.key,
        recipe=plan.recipe.model_dump(mode="json"),
        pictures=_frozen(plan.pictures, plan.recipe.resolution, plan.base.multiple),
        estimate=plan.estimate.model_dump(mode="json"),
        created_by=created_by,
    )
    there = session.get(Training, order.id)
    if there is not None:
        if there.workspace_id != workspace_id or (there.recipe, there.pictures) != (order.recipe, order.pictures):
            raise OrderTaken()
        return there
    try:
        with session.begin_nested():
            session.add(order)
    except IntegrityError as error:
        raise OrderTaken() from error
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=project_id,
        kind="training",
        subject_id=order.id,
        title=plan.project.name,
        created_by=created_by,
    )
    return order


def _frozen(pictures: Sequence[Image], resolution: int, multiple: int) -> list[dict[str, Any]]:
    """What the worker needs of each picture, so that later edits of the brand do not change the order."""
    sizes = bucket_sizes(resolution, multiple)
    frozen = []
    for picture in pictures:
        box = training_crop(
            picture.working_width, picture.working_height, sizes, focus=(picture.focus_x, picture.focus_y)
        )
        frozen.append(
            {
                "image_id": picture.id,
                "working_key": picture.working_key,
                "filename": picture.filename,
                "caption": picture.caption,
                "left": box.left,
                "top": box.top,
                "width": box.width,
                "height": box.height,
                "target_width": box.target_width,
                "target_height": box.target_height,
            }
        )
    return frozen


def cancel_training(session: Session, *, workspace_id: str, training_id: str) -> Training:
    """Ask the training to stop; what it has learned so far is kept as an adapter.

    Raises ``NotFound``, ``AlreadyEnded``.
    """
    given = queries.training(session, workspace_id=workspace_id, training_id=training_id)
    job = job_queries.job_of(session, given.id)
    jobs.request_cancel(session, workspace_id=workspace_id, job_id=job.id)
    return given


# What the worker writes while it runs; every call is guarded by the claim's fence ----------------------------------


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


def begin_attempt(session: Session, claim: Claim, *, from_step: int) -> None:
    """Forget the losses that an earlier attempt noted beyond the checkpoint that this one goes on from.

    Raises ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    session.execute(delete(LossPoint).where(LossPoint.training_id == claim.subject_id, LossPoint.step > from_step))


def note_losses(session: Session, claim: Claim, losses: Sequence[Loss]) -> None:
    """Raises ``LeaseLost``."""
    claims.assert_lease(session, claim)
    for one in losses:
        session.merge(
            LossPoint(training_id=claim.subject_id, step=one.step, loss=one.loss, learning_rate=one.learning_rate)
        )
    session.flush()


def note_shortage(session: Session, claim: Claim, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
    """Keep for the training's page how it goes on after its memory ran out in a step. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim)
    training = session.get_one(Training, claim.subject_id)
    told = shortage(TrainingRecipe.model_validate(training.recipe), micro_batch_size, gradient_checkpointing)
    estimate = Estimate.model_validate(training.estimate).model_copy(update={"shortage": told, "first_steps": None})
    training.estimate = estimate.model_dump(mode="json")
    session.flush()


def note_first_steps(session: Session, claim: Claim, first: FirstSteps) -> None:
    """Keep what the first steps measured, for the training's page. What those of an earlier attempt measured stays,
    unless its steps were computed in another way. Raises ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    training = session.get_one(Training, claim.subject_id)
    estimate = Estimate.model_validate(training.estimate)
    if estimate.first_steps is not None:
        return
    started_at = job_queries.job_of(session, training.id).started_at
    elapsed = (now() - started_at).total_seconds() if started_at is not None else 0.0
    told = first.model_copy(update={"seconds": elapsed + first.seconds_left})
    training.estimate = estimate.model_copy(update={"first_steps": told}).model_dump(mode="json")
    session.flush()


def note_sample(session: Session, claim: Claim, sample: Sample) -> None:
    """Add a sample picture, in place of one that an earlier attempt drew at the same step. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, with_result=True)
    session.execute(
        delete(TrainingSample).where(
            TrainingSample.training_id == claim.subject_id,
            TrainingSample.step == sample.step,
            TrainingSample.position == sample.position,
        )
    )
    session.add(
        TrainingSample(
            workspace_id=claim.workspace_id,
            training_id=claim.subject_id,
            step=sample.step,
            position=sample.position,
            prompt=sample.prompt,
            seed=sample.seed,
            key=sample.key,
            width=sample.width,
            height=sample.height,
        )
    )
    session.flush()


def complete_training(
    session: Session,
    claim: Claim,
    *,
    adapter_id: str,
    version: int,
    files: AdapterFiles,
    outcome: Outcome,
    finished_at: datetime,
) -> Adapter:
    """Register the adapter, note what was measured and end the job, in one transaction.

    An ``outcome`` that is not finished was stopped by a person: the adapter says so in its note, and the job ends as
    cancelled. Raises ``LeaseLost``, and ``VersionTaken`` when another training of the brand was faster.
    """
    claims.assert_lease(session, claim)
    given = session.get_one(Training, claim.subject_id)
    recipe = TrainingRecipe.model_validate(given.recipe)
    given.seconds_per_step, given.device = outcome.seconds_per_step, outcome.device[:120]
    given.peak_memory_bytes = outcome.peak_memory_bytes
    adapter = adapters.register(
        session,
        adapter_id=adapter_id,
        workspace_id=given.workspace_id,
        project_id=given.project_id,
        training_id=given.id,
        version=version,
        purpose=given.purpose,
        base_model=given.base_model,
        rank=outcome.rank,
        alpha=outcome.alpha,
        trigger_word=recipe.trigger_word,
        files=files,
        facts=_facts(session, given, recipe, outcome, finished_at),
        created_by=given.created_by,
    )
    if outcome.finished:
        outcomes.finish(session, claim)
    else:
        outcomes.end_cancelled(session, claim)
    return adapter


def _facts(
    session: Session, given: Training, recipe: TrainingRecipe, outcome: Outcome, finished_at: datetime
) -> dict[str, Any]:
    """The adapter's passport. Holds all that its card shows, for an adapter outlives its training."""
    drawn = queries.samples(session, given.id)
    last = max((one.step for one in drawn), default=0)
    return {
        "picture_count": len(given.pictures),
        "image_ids": [picture["image_id"] for picture in given.pictures],
        "steps": outcome.steps,
        "planned_steps": recipe.steps,
        "finished": outcome.finished,
        "final_loss": outcome.final_loss,
        "seconds_per_step": outcome.seconds_per_step,
        "peak_memory_bytes": outcome.peak_memory_bytes,
        "device": outcome.device,
        "precision": outcome.precision,
        "skipped_steps": outcome.skipped_steps,
        "trained_at": finished_at.isoformat(),
        "recipe": given.recipe,
        "samples": [
            {
                "step": one.step,
                "position": one.position,
                "prompt": one.prompt,
                "seed": one.seed,
                "key": one.key,
                "width": one.width,
                "height": one.height,
            }
            for one in drawn
            if one.step in (0, last)
        ],
    }
