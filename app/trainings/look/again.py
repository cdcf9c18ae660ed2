"""After a failure or an early end: which order is likely to do better. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.base_models.catalogue import BaseModelEntry
from app.errors import N_
from app.jobs.models import Job
from app.trainings.look.choices import TrainingChoices
from app.trainings.look.estimate import Estimate
from app.trainings.look.planner import PLANNED, unplanned
from app.trainings.look.presets import recipe_for
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import Training


@dataclass(frozen=True)
class Retry:
    """A new order that is likely to do better: what it changes in words, and the fields to fill the form with."""

    msgid: str
    params: Mapping[str, str | int]
    fields: Mapping[str, Any]

    @property
    def pair(self) -> tuple[str, Mapping[str, str | int]]:
        return self.msgid, self.params


RETRY_SIZE = N_("Try again with a smaller size: %(resolution)s pixels")
RETRY_BITS = N_("Try again with the base in 4 bits: far less memory")
RETRY_BATCH = N_("Try again with one picture at a time")
RETRY_RANK = N_("Try again with a smaller adapter: rank %(rank)s")
RETRY_RATE = N_("Try again, learning more slowly")
RETRY_SAME = N_("Try again with the same settings")


def decided(given: Training, base: BaseModelEntry | None) -> dict[str, Any]:
    """The form's fields that lead to this order again: those that differ from what the preset gives.

    What a plan chose is left out, so that the next one is free to choose for the device that is there then.
    """
    recipe = TrainingRecipe.model_validate(given.recipe)
    estimate = Estimate.model_validate(given.estimate)
    plan = estimate.fell_back_from or estimate.plan
    free: tuple[str, ...] = ()
    if estimate.plan is not None and plan is not None:
        # What a person chose and had to give up for want of memory is still their choice.
        recipe = unplanned(recipe, estimate.plan).model_copy(
            update={"quantization": plan.quantization, "gradient_checkpointing": plan.gradient_checkpointing}
        )
        if "batch_size" not in plan.decided:  # said as what is added up, which lets the next plan choose again
            at_once = recipe.batch_size * recipe.gradient_accumulation_steps
            recipe = recipe.model_copy(update={"batch_size": 1, "gradient_accumulation_steps": at_once})
        free = tuple(name for name in PLANNED if name not in plan.decided and name != "batch_size")
    fields: dict[str, Any] = {"purpose": recipe.purpose, "base_model": recipe.base_model}
    if base is None:
        return {"purpose": recipe.purpose}
    usual = recipe_for(
        recipe.purpose,
        base,
        trigger_word=recipe.trigger_word,
        captions=[str(picture["caption"]) for picture in given.pictures],
    )
    for name in TrainingChoices.model_fields:
        value = getattr(recipe, name)
        if name not in fields and name not in free and value != getattr(usual, name):
            fields[name] = 0 if name == "min_snr_gamma" and value is None else value
    return fields


def retries(given: Training, base: BaseModelEntry | None, job: Job) -> list[Retry]:
    """What to offer after a failure or an early end, the most promising first.

    ``base``: its base model; None where nobody knows that any more.
    """
    recipe, same = TrainingRecipe.model_validate(given.recipe), decided(given, base)
    found: list[Retry] = []
    if job.error_code == "out_of_memory":
        if recipe.batch_size > 1:
            found.append(Retry(RETRY_BATCH, {}, same | {"batch_size": 1}))
        if recipe.quantization != "nf4" and base and base.training_memory_quantized_mb:
            found.append(Retry(RETRY_BITS, {}, same | {"quantization": "nf4"}))
        sizes = [size for size in (base.resolutions if base else ()) if size < recipe.resolution]
        if sizes:
            found.append(Retry(RETRY_SIZE, {"resolution": max(sizes)}, same | {"resolution": max(sizes)}))
        if recipe.rank > 4:
            rank = recipe.rank // 2
            alpha = recipe.alpha * rank / recipe.rank
            found.append(Retry(RETRY_RANK, {"rank": rank}, same | {"rank": rank, "alpha": alpha}))
    if job.error_code == "diverged":
        found.append(Retry(RETRY_RATE, {}, same | {"learning_rate": float(f"{recipe.learning_rate / 3:.2g}")}))
    found.append(Retry(RETRY_SAME, {}, same))
    return found
