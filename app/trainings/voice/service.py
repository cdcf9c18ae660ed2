"""What may happen to the training of a voice: planned, ordered, watched, ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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
from app.base_models.catalogue import TextModelEntry
from app.db import new_id
from app.jobs import claims, outcomes
from app.jobs import queries as job_queries
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.projects import queries as projects
from app.projects.models import Project
from app.trainings.errors import BrandPutAway, DeviceTooSmall, KnowsNoOrders, OrderTaken, TooFewTexts
from app.trainings.look.estimate import Estimate
from app.trainings.look.planner import PLANNED, Device, suits
from app.trainings.look.warnings import Warning
from app.trainings.models import HeldOutPoint, Training, TrainingText
from app.trainings.service import largest_device
from app.trainings.voice import planner
from app.trainings.voice import queries as voice_queries
from app.trainings.voice.choices import VoiceChoices
from app.trainings.voice.estimate import voice_estimate
from app.trainings.voice.findings import undecided
from app.trainings.voice.lengths import tokens_at_most
from app.trainings.voice.measures import Measures
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import VoiceRecipe
from app.trainings.voice.texts import FrozenVoice, freeze
from app.trainings.voice.warnings import voice_warnings
from app.voice import queries as voices
from app.voice.analysis.pairs import conversation
from app.voice.queries import ENOUGH_SAMPLES, LEAST_SAMPLES

PURPOSE = "voice"
JOB_KIND = "voice_training"


@dataclass(frozen=True)
class VoicePlan:
    """What would happen: shown before the start, and what the start then does."""

    project: Project
    base: TextModelEntry
    recipe: VoiceRecipe
    voice: FrozenVoice
    estimate: Estimate
    warnings: tuple[Warning, ...]
    has_price: bool

    @property
    def is_possible(self) -> bool:
        return all(warning.kind != "bad" for warning in self.warnings)


def plan_voice(session: Session, *, workspace_id: str, project_id: str, choices: VoiceChoices) -> VoicePlan:
    """Work out recipe, estimate and warnings for the brand's included samples. Changes nothing.

    Raises ``NotFound``, ``UnknownBaseModel``, ``KnowsNoOrders``.
    """
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    base_key = choices.base_model or catalogue.text_models()[0].key
    base = base_models.text_entry(session, workspace_id=workspace_id, key=base_key)
    if not base.has_chat_template and choices.kind == "instructions":
        raise KnowsNoOrders(base=base.name)
    samples = voices.training_set(session, workspace_id=workspace_id, project_id=project_id)
    longest = max((tokens_at_most(turn["content"] for turn in conversation(one)) for one in samples), default=0)
    recipe = voice_recipe_for(base, len(samples), choices.changes(), longest=longest)
    voice = freeze(samples, recipe)
    workspace = session.get_one(Workspace, workspace_id)
    workers = job_queries.workers_serving(session, "training")
    devices, device = [one.device for one in workers], largest_device(workers)
    plan = None
    if device is not None:
        decided = frozenset(choices.changes()) & set(PLANNED)
        plan = planner.plan_for(recipe, base, voice, device, decided)
        recipe = planner.planned(recipe, plan)
    estimate = voice_estimate(
        recipe,
        base,
        voice,
        voice_queries.paces(session, base.key),
        devices=devices,
        price_per_hour=workspace.price_per_hour,
        currency=workspace.currency,
        plan=plan,
    )
    on_card = any(not device.startswith("CPU") for device in devices)
    ready = base.ready or base_files.state(session, workspace_id=workspace_id, key=base.key).is_here
    warnings = voice_warnings(voice, recipe, base, on_card=on_card, ready=ready)
    warnings += undecided(voices.judged_set(session, workspace_id=workspace_id, project_id=project_id))
    return VoicePlan(project, base, recipe, voice, estimate, tuple(warnings), workspace.price_per_hour is not None)


def start_voice(
    session: Session,
    *,
    workspace_id: str,
    project_id: str,
    choices: VoiceChoices,
    created_by: str | None,
    order_id: str | None = None,
) -> Training:
    """Freeze the order and queue its job.

    ``order_id`` makes it safe to send twice: the same order under the same id is the training that there is already.
    Raises ``NotFound``, ``UnknownBaseModel``, ``KnowsNoOrders``, ``TooFewTexts``, ``BrandPutAway``, ``OrderTaken``.
    """
    plan = plan_voice(session, workspace_id=workspace_id, project_id=project_id, choices=choices)
    if plan.project.archived_at is not None:
        raise BrandPutAway()
    if len(plan.voice.texts) < LEAST_SAMPLES:
        raise TooFewTexts(count=len(plan.voice.texts), needed=LEAST_SAMPLES, enough=ENOUGH_SAMPLES)
    order = Training(
        id=order_id or new_id(),
        workspace_id=workspace_id,
        project_id=project_id,
        modality="text",
        purpose=PURPOSE,
        base_model=plan.base.key,
        recipe=plan.recipe.model_dump(mode="json"),
        pictures=[],
        voice=plan.voice.model_dump(mode="json"),
        estimate=plan.estimate.model_dump(mode="json"),
        created_by=created_by,
    )
    there = session.get(Training, order.id)
    if there is not None:
        if there.workspace_id != workspace_id or (there.recipe, there.voice) != (order.recipe, order.voice):
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
        kind=JOB_KIND,
        subject_id=order.id,
        title=plan.project.name,
        created_by=created_by,
    )
    return order


def plan_for_taker(session: Session, claim: Claim, device: Device) -> VoiceRecipe:
    """The training's recipe as it suits the device that has taken it. One that was ordered when no device was known is
    planned now; where this one has less memory than the plan was made for, there is another plan, which the training's
    page tells. Raises ``DeviceTooSmall``, ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    given = session.get_one(Training, claim.subject_id)
    recipe, estimate = VoiceRecipe.model_validate(given.recipe), Estimate.model_validate(given.estimate)
    plan = estimate.plan
    base = base_models.text_entry(session, workspace_id=given.workspace_id, key=given.base_model)
    if plan is not None and (not plan.fits or suits(plan, base, device)):
        return recipe
    voice = FrozenVoice.model_validate(given.voice)
    if plan is None:
        whole, decided = recipe, planner.decided_in(recipe, base, voice)
    else:
        whole, decided = planner.unplanned(recipe, plan), frozenset(plan.decided)
    found = planner.plan_for(whole, base, voice, device, decided)
    if plan is not None and not found.fits:
        raise DeviceTooSmall()
    recipe = planner.planned(whole, found)
    given.recipe = recipe.model_dump(mode="json")
    moved = {"moved_from": estimate.moved_from or plan} if plan is not None else {}
    given.estimate = estimate.model_copy(update={"plan": found} | moved).model_dump(mode="json")
    session.flush()
    return recipe


def fall_back(session: Session, claim: Claim, device: Device) -> VoiceRecipe | None:
    """Give a training whose rows do not fit the memory one by one a plan with a coarser base, and return the recipe for
    it; None where it was the coarsest already. Raises ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    given = session.get_one(Training, claim.subject_id)
    recipe, estimate = VoiceRecipe.model_validate(given.recipe), Estimate.model_validate(given.estimate)
    voice = FrozenVoice.model_validate(given.voice)
    base = base_models.text_entry(session, workspace_id=given.workspace_id, key=given.base_model)
    plan = estimate.plan or planner.as_ordered(recipe, base, voice, device)
    whole = planner.unplanned(recipe, plan)
    coarser = planner.next_coarser(whole, base, voice, device, plan)
    if coarser is None:
        return None
    recipe = planner.planned(whole, coarser)
    given.recipe = recipe.model_dump(mode="json")
    given.estimate = estimate.model_copy(
        update={"plan": coarser, "fell_back_from": estimate.fell_back_from or plan, "shortage": None}
    ).model_dump(mode="json")
    session.flush()
    return recipe


def note_shortage(session: Session, claim: Claim, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
    """Keep for the training's page how it goes on after its memory ran out in a step. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim)
    given = session.get_one(Training, claim.subject_id)
    told = planner.shortage(VoiceRecipe.model_validate(given.recipe), micro_batch_size, gradient_checkpointing)
    estimate = Estimate.model_validate(given.estimate).model_copy(update={"shortage": told})
    given.estimate = estimate.model_dump(mode="json")
    session.flush()


def cancel_voice(session: Session, *, workspace_id: str, training_id: str) -> Training:
    """Ask the training to stop; what it has learned so far is kept as an adapter.

    Raises ``NotFound``, ``AlreadyEnded``.
    """
    given = voice_queries.training(session, workspace_id=workspace_id, training_id=training_id)
    jobs.request_cancel(session, workspace_id=workspace_id, job_id=job_queries.job_of(session, given.id).id)
    return given


# What the worker writes while it runs; every call is guarded by the claim's fence ----------------------------------


def begin_attempt(session: Session, claim: Claim, *, from_step: int) -> None:
    """Forget what an earlier attempt measured and wrote beyond the checkpoint that this one goes on from, or, without
    one, from the beginning. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim)
    after = from_step if from_step else -1
    session.execute(delete(HeldOutPoint).where(HeldOutPoint.training_id == claim.subject_id, HeldOutPoint.step > after))
    session.execute(delete(TrainingText).where(TrainingText.training_id == claim.subject_id, TrainingText.step > after))


def note_held_out(session: Session, claim: Claim, *, step: int, loss: float) -> None:
    """Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, with_result=True)
    session.merge(HeldOutPoint(training_id=claim.subject_id, step=step, loss=loss))
    session.flush()


def note_texts(session: Session, claim: Claim, written: Sequence[tuple[int, int, str, int, str]]) -> None:
    """Add sample texts (step, position, brief, seed, text) in place of an earlier attempt's. Raises ``LeaseLost``."""
    claims.assert_lease(session, claim, with_result=True)
    for step, position, brief, seed, text in written:
        session.execute(
            delete(TrainingText).where(
                TrainingText.training_id == claim.subject_id,
                TrainingText.step == step,
                TrainingText.position == position,
            )
        )
        session.add(
            TrainingText(
                workspace_id=claim.workspace_id,
                training_id=claim.subject_id,
                step=step,
                position=position,
                brief=brief,
                seed=seed,
                text=text,
            )
        )
    session.flush()


@dataclass(frozen=True)
class VoiceOutcome:
    """What came out of the loop, as measured."""

    finished: bool
    rank: int
    alpha: float
    final_loss: float | None
    seconds_per_step: float | None
    peak_memory_bytes: int | None
    device: str
    precision: str
    skipped_steps: int
    measures: Measures


def complete_voice(
    session: Session,
    claim: Claim,
    *,
    adapter_id: str,
    files: AdapterFiles,
    outcome: VoiceOutcome,
    finished_at: datetime,
) -> Adapter:
    """Register the adapter, note what was measured and end the job, in one transaction.

    An ``outcome`` that is not finished was stopped by a person: the job ends as cancelled. Raises ``LeaseLost``.
    """
    claims.assert_lease(session, claim)
    given = session.get_one(Training, claim.subject_id)
    given.seconds_per_step, given.device = outcome.seconds_per_step, outcome.device[:120]
    given.peak_memory_bytes = outcome.peak_memory_bytes
    given.measures = outcome.measures.model_dump(mode="json")
    adapter = adapters.register(
        session,
        adapter_id=adapter_id,
        workspace_id=given.workspace_id,
        project_id=given.project_id,
        training_id=given.id,
        version=None,
        modality="text",
        purpose=PURPOSE,
        base_model=given.base_model,
        rank=outcome.rank,
        alpha=outcome.alpha,
        trigger_word="",
        files=files,
        facts=voice_queries.facts_for_passport(given)
        | {
            "steps": outcome.measures.steps,
            "planned_steps": outcome.measures.planned_steps,
            "best_step": outcome.measures.best_step,
            "finished": outcome.finished,
            "final_loss": outcome.final_loss,
            "seconds_per_step": outcome.seconds_per_step,
            "peak_memory_bytes": outcome.peak_memory_bytes,
            "device": outcome.device,
            "precision": outcome.precision,
            "skipped_steps": outcome.skipped_steps,
            "trained_at": finished_at.isoformat(),
            "measures": given.measures,
        },
        created_by=given.created_by,
    )
    if outcome.finished:
        outcomes.finish(session, claim)
    else:
        outcomes.end_cancelled(session, claim)
    return adapter
