"""After a training on pictures has failed or ended early: which one is likely to do better. Pure."""

from typing import Any

from app.base_models.catalogue import BaseModelEntry
from app.errors import N_
from app.jobs.models import Job
from app.trainings.advice import Retry, before_plan, usual_retries
from app.trainings.estimates import Estimate
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.look.presets import recipe_for
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import Training

RETRY_SIZE = N_("Try again with a smaller size: %(resolution)s pixels")
RETRY_BITS = N_("Try again with the base model in 4 bits (far less memory)")
RETRY_BATCH = N_("Try again with one picture at a time")


def decided(training: Training, base: BaseModelEntry | None) -> dict[str, Any]:
    """The form's fields that lead to this training once more: those that differ from what the preset gives.

    What a plan chose is left out, so that the next one is free to choose for the device that is there then.
    """
    estimate = Estimate.model_validate(training.estimate)
    recipe, free = before_plan(TrainingRecipe.model_validate(training.recipe), estimate)
    plan = estimate.fell_back_from or estimate.plan
    if estimate.plan is not None and plan is not None and "batch_size" not in plan.decided:
        # Said as what is added up, which lets the next plan choose again.
        of_a_step = recipe.batch_size * recipe.gradient_accumulation_steps
        recipe = recipe.model_copy(update={"batch_size": 1, "gradient_accumulation_steps": of_a_step})
    fields: dict[str, Any] = {"purpose": recipe.purpose, "base_model": recipe.base_model}
    if base is None:
        return {"purpose": recipe.purpose}
    usual = recipe_for(
        recipe.purpose,
        base,
        trigger_word=recipe.trigger_word,
        captions=[str(picture["caption"]) for picture in training.pictures],
    )
    for name in TrainingOverrides.model_fields:
        value = getattr(recipe, name)
        if name not in fields and name not in free and value != getattr(usual, name):
            fields[name] = 0 if name == "min_snr_gamma" and value is None else value
    return fields


def retries(training: Training, base: BaseModelEntry | None, job: Job) -> list[Retry]:
    """What to offer, the most promising first; ``base`` is None where nobody knows it any more."""
    recipe, same = TrainingRecipe.model_validate(training.recipe), decided(training, base)
    found: list[Retry] = []
    if job.error_code == "out_of_memory":
        if recipe.batch_size > 1:
            found.append(Retry(RETRY_BATCH, {}, same | {"batch_size": 1}))
        if recipe.quantization != "nf4" and base and base.training_memory_quantized_mb:
            found.append(Retry(RETRY_BITS, {}, same | {"quantization": "nf4"}))
        sizes = [size for size in (base.resolutions if base else ()) if size < recipe.resolution]
        if sizes:
            found.append(Retry(RETRY_SIZE, {"resolution": max(sizes)}, same | {"resolution": max(sizes)}))
    return found + usual_retries(recipe, same, job)
