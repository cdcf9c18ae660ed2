"""After the training of a voice has failed or ended early: which order is likely to do better. Pure."""

from typing import Any

from app.base_models.catalogue import TextModelEntry
from app.errors import N_
from app.jobs.models import Job
from app.trainings.look.again import RETRY_RANK, RETRY_RATE, RETRY_SAME, Retry
from app.trainings.look.estimate import Estimate
from app.trainings.look.planner import PLANNED
from app.trainings.models import Training
from app.trainings.voice.choices import VoiceChoices
from app.trainings.voice.planner import longest, unplanned
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import VoiceRecipe
from app.trainings.voice.texts import FrozenVoice

RETRY_FOUR_BITS = N_("Try again with the base model in 4 bits")
RETRY_TWICE = N_("Try again with less memory, a third slower")


def decided(given: Training, base: TextModelEntry | None) -> dict[str, Any]:
    """The form's fields that lead to this order again: those in which it differs from what the preset gives for the
    same texts.

    What a plan chose is left out, so that the next one is free to choose for the device that is there then.
    """
    if base is None:
        return {}
    recipe, estimate = VoiceRecipe.model_validate(given.recipe), Estimate.model_validate(given.estimate)
    voice = FrozenVoice.model_validate(given.voice)
    plan = estimate.fell_back_from or estimate.plan
    free: set[str] = set()
    if estimate.plan is not None and plan is not None:
        # What a person chose and had to give up for want of memory is still their choice.
        recipe = unplanned(recipe, estimate.plan).model_copy(
            update={"quantization": plan.quantization, "gradient_checkpointing": plan.gradient_checkpointing}
        )
        free = {name for name in PLANNED if name not in plan.decided} - {"batch_size"}
    usual = voice_recipe_for(base, len(voice.texts), {"kind": recipe.kind}, longest=longest(voice))
    names = set(VoiceChoices.model_fields) - {"base_model", "kind"} - free
    found: dict[str, Any] = {"base_model": recipe.base_model}
    if recipe.kind != voice_recipe_for(base, len(voice.texts)).kind:
        found["kind"] = recipe.kind
    return found | {
        name: getattr(recipe, name)
        for name in VoiceChoices.model_fields
        if name in names and getattr(recipe, name) != getattr(usual, name)
    }


def retries(given: Training, base: TextModelEntry | None, job: Job) -> list[Retry]:
    """What to offer, the most promising first; ``base`` is None where nobody knows it any more."""
    found: list[Retry] = []
    recipe, same = VoiceRecipe.model_validate(given.recipe), decided(given, base)
    if job.error_code == "out_of_memory":
        if recipe.quantization != "nf4":
            found.append(Retry(RETRY_FOUR_BITS, {}, same | {"quantization": "nf4"}))
        if not recipe.gradient_checkpointing:
            found.append(Retry(RETRY_TWICE, {}, same | {"gradient_checkpointing": True}))
        if recipe.rank > 4:
            rank = recipe.rank // 2
            fields = same | {"rank": rank, "alpha": recipe.alpha * rank / recipe.rank}
            found.append(Retry(RETRY_RANK, {"rank": rank}, fields))
    if job.error_code == "diverged":
        found.append(Retry(RETRY_RATE, {}, same | {"learning_rate": float(f"{recipe.learning_rate / 3:.2g}")}))
    found.append(Retry(RETRY_SAME, {}, same))
    return found
