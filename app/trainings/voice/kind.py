"""The kind of training that learns a brand's voice from its written samples."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.base_models import catalogue
from app.base_models import queries as base_models
from app.base_models.catalogue import TextModelEntry
from app.projects.models import Project
from app.trainings.advice import Warning
from app.trainings.errors import NoChatTemplate, TooFewTexts
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.kind import Draft, Kind
from app.trainings.models import Training
from app.trainings.plans import Plan
from app.trainings.voice import planner, queries
from app.trainings.voice.estimate import voice_estimate
from app.trainings.voice.findings import undecided
from app.trainings.voice.freeze import FrozenVoice, freeze
from app.trainings.voice.lengths import tokens_at_most
from app.trainings.voice.overrides import VoiceOverrides
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import VoiceRecipe
from app.trainings.voice.retry import retries
from app.trainings.voice.warnings import voice_warnings
from app.voice import queries as voices
from app.voice.analysis.pairs import conversation
from app.voice.queries import ENOUGH_SAMPLES, LEAST_SAMPLES

PURPOSE = "voice"
VoiceDraft = Draft[VoiceRecipe, FrozenVoice]


def _base(session: Session, workspace_id: str, key: str | None) -> TextModelEntry:
    return base_models.text_entry(session, workspace_id=workspace_id, key=key or catalogue.text_models()[0].key)


def _draft(session: Session, project: Project, base: TextModelEntry, overrides: VoiceOverrides) -> VoiceDraft:
    """From the brand's included texts. Raises ``NoChatTemplate``."""
    if not base.has_chat_template and overrides.kind == "instructions":
        raise NoChatTemplate(base=base.name)
    samples = voices.training_set(session, workspace_id=project.workspace_id, project_id=project.id)
    longest = max((tokens_at_most(turn["content"] for turn in conversation(one)) for one in samples), default=0)
    changes = overrides.changes()
    recipe = voice_recipe_for(base, len(samples), changes, longest=longest)
    # Beyond what the base can look back on, a longer row teaches nothing.
    meaningless = ("max_length",) if changes.get("max_length", 0) > base.context else ()
    return Draft(recipe, freeze(samples, recipe), frozenset(changes), meaningless)


def _refuse_too_few(voice: FrozenVoice) -> None:
    if len(voice.texts) < LEAST_SAMPLES:
        raise TooFewTexts(count=len(voice.texts), needed=LEAST_SAMPLES, enough=ENOUGH_SAMPLES)


def _columns(_recipe: VoiceRecipe, voice: FrozenVoice) -> dict[str, Any]:
    return {"purpose": PURPOSE, "pictures": [], "voice": voice.model_dump(mode="json")}


def _estimate(
    session: Session, base: TextModelEntry, draft: VoiceDraft, plan: Plan | None, now: Circumstances
) -> Estimate:
    return voice_estimate(
        draft.recipe,
        base,
        draft.frozen,
        queries.paces(session, base.key),
        now,
        plan,
    )


def _warnings(
    session: Session, project: Project, base: TextModelEntry, draft: VoiceDraft, devices: Sequence[str], ready: bool
) -> list[Warning]:
    on_card = any(not device.startswith("CPU") for device in devices)
    found = voice_warnings(draft.frozen, draft.recipe, base, on_card=on_card, ready=ready)
    judged = voices.judged_set(session, workspace_id=project.workspace_id, project_id=project.id)
    return found + undecided(judged)


def _passport(_session: Session, training: Training) -> dict[str, Any]:
    voice = FrozenVoice.model_validate(training.voice)
    measured = training.measures or {}
    return {
        "sample_count": len(voice.learned),
        "held_out_count": len(voice.held_out),
        "language": voice.language,
        "planned_steps": measured.get("planned_steps"),
        "best_step": measured.get("best_step"),
        "measures": training.measures,
    }


VOICE: Kind[VoiceRecipe, TextModelEntry, FrozenVoice, VoiceOverrides] = Kind(
    modality="text",
    job_kind="voice_training",
    recipe=VoiceRecipe,
    sentences=planner.SENTENCES,
    base=_base,
    known_base=lambda session, workspace_id, key: base_models.find_text(session, workspace_id=workspace_id, key=key),
    draft=_draft,
    refuse_too_few=_refuse_too_few,
    columns=_columns,
    frozen=lambda training: FrozenVoice.model_validate(training.voice),
    plan_for=planner.plan_for,
    fallback_for=planner.fallback_for,
    decided_in=planner.decided_in,
    as_plan=planner.as_plan,
    estimate=_estimate,
    warnings=_warnings,
    retries=retries,
    trigger_word=lambda recipe: "",
    passport=_passport,
)
