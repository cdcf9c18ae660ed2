"""After the training of a voice has failed or ended early: which one is likely to do better. Pure."""

from typing import Any

from app.base_models.catalogue import TextModelEntry
from app.errors import N_
from app.jobs.models import Job
from app.trainings.advice import Retry, before_plan, usual_retries
from app.trainings.estimates import Estimate
from app.trainings.models import Training
from app.trainings.voice.freeze import FrozenVoice
from app.trainings.voice.overrides import VoiceOverrides
from app.trainings.voice.planner import longest
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import VoiceRecipe

RETRY_FOUR_BITS = N_("Try again with the base model in 4 bits")
RETRY_TWICE = N_("Try again with less memory (a third slower)")


def decided(training: Training, base: TextModelEntry | None) -> dict[str, Any]:
    """The form's fields that lead to this training once more: those in which it differs from what the preset gives for
    the same texts.

    What a plan chose is left out, so that the next one is free to choose for the device that is there then.
    """
    if base is None:
        return {}
    voice = FrozenVoice.model_validate(training.voice)
    recipe, free = before_plan(VoiceRecipe.model_validate(training.recipe), Estimate.model_validate(training.estimate))
    usual = voice_recipe_for(base, len(voice.texts), {"kind": recipe.kind}, longest=longest(voice))
    fields: dict[str, Any] = {"base_model": recipe.base_model}
    if recipe.kind != voice_recipe_for(base, len(voice.texts)).kind:
        fields["kind"] = recipe.kind
    named = {"base_model", "kind", *free}
    return fields | {
        name: getattr(recipe, name)
        for name in VoiceOverrides.model_fields
        if name not in named and getattr(recipe, name) != getattr(usual, name)
    }


def retries(training: Training, base: TextModelEntry | None, job: Job) -> list[Retry]:
    """What to offer, the most promising first; ``base`` is None where nobody knows it any more."""
    recipe, same = VoiceRecipe.model_validate(training.recipe), decided(training, base)
    found: list[Retry] = []
    if job.error_code == "out_of_memory":
        if recipe.quantization != "nf4":
            found.append(Retry(RETRY_FOUR_BITS, {}, same | {"quantization": "nf4"}))
        if not recipe.gradient_checkpointing:
            found.append(Retry(RETRY_TWICE, {}, same | {"gradient_checkpointing": True}))
    return found + usual_retries(recipe, same, job)
