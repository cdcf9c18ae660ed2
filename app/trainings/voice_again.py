"""After the training of a voice has failed or ended early: which order is likely to do better. Pure."""

from typing import Any

from app.base_models import catalogue
from app.errors import N_
from app.jobs.models import Job
from app.trainings.again import RETRY_RANK, RETRY_RATE, RETRY_SAME, Retry
from app.trainings.voice_choices import VoiceChoices
from app.trainings.voice_presets import voice_recipe_for
from app.trainings.voice_recipe import VoiceRecipe

RETRY_FOUR_BITS = N_("Try again with the base model in 4 bits")
RETRY_TWICE = N_("Try again with less memory, a third slower")


def decided(recipe: VoiceRecipe) -> dict[str, Any]:
    """The form's fields that lead to this recipe again: those in which it differs from the middle preset."""
    known = {entry.key: entry for entry in catalogue.text_models()}
    if recipe.base_model not in known:
        return {}
    usual = voice_recipe_for(known[recipe.base_model], 100)
    return {"base_model": recipe.base_model} | {
        name: getattr(recipe, name)
        for name in VoiceChoices.model_fields
        if name != "base_model" and getattr(recipe, name) != getattr(usual, name)
    }


def retries(recipe: VoiceRecipe, job: Job) -> list[Retry]:
    """What to offer, the most promising first."""
    found: list[Retry] = []
    same = decided(recipe)
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
