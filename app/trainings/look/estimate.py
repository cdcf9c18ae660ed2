"""What a training on pictures will take, by what earlier ones on the same base took. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.base_models.catalogue import BaseModelEntry
from app.trainings.estimates import Circumstances, Estimate, estimate_of, on_devices
from app.trainings.look.needs import samples_per_step, trained
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.plans import Plan

HALF_PRECISION_BYTES = 2
"""Of a number in an adapter's file, unless it needs more."""


@dataclass(frozen=True)
class Measurement:
    """What an earlier training on the same base took."""

    measured_at: datetime
    device: str
    recipe: TrainingRecipe
    """As it was carried out; an engine that ran out of memory in a step and went over to another way does so again."""
    seconds_per_step: float
    other_seconds: float
    """Loading, sample pictures and saving."""
    peak_memory_bytes: int | None
    bytes_per_rank: float | None
    """Of the adapter's file; None where there is none."""
    precision: str | None = None
    """That its plan said; None where there was none."""

    @property
    def samples_per_step(self) -> int:
        return samples_per_step(self.recipe)


DECIDING = (
    "resolution",
    "extra_resolutions",
    "rank",
    "network",
    "target_modules",
    "train_text_encoder",
    "optimizer",
    "batch_size",
    "quantization",
    "gradient_checkpointing",
    "block_offload",
    "compile",
)
"""Fields of a recipe that decide what a step takes, besides how many pictures are in it."""


def estimate_for(
    recipe: TrainingRecipe,
    base: BaseModelEntry,
    measurements: Sequence[Measurement],
    now: Circumstances,
    plan: Plan | None = None,
) -> Estimate:
    """``measurements``: the newest first.

    A measurement counts for the same size, adapter and number of pictures in a step only, for a base held and a step
    computed the same way, and for a device that is there: another card's pace says nothing about this one's.
    """
    alike = [one for one in on_devices(measurements, now.devices, plan) if _is_like(one.recipe, recipe)]
    known = alike[0] if alike else None
    seconds_range = None
    if known is None and plan is not None and plan.step_seconds is not None:
        seconds_range = (plan.step_seconds[0] * recipe.steps, plan.step_seconds[1] * recipe.steps)
    return estimate_of(
        known,
        plan,
        now,
        seconds=None if known is None else known.seconds_per_step * recipe.steps + known.other_seconds,
        seconds_range=seconds_range,
        memory_bytes=base.training_memory(recipe.quantization),
        file_bytes=_file_bytes(recipe, base, measurements),
    )


def _is_like(one: TrainingRecipe, recipe: TrainingRecipe) -> bool:
    """Whether it took the same time and memory for a step, as far as the recipe decides that."""
    return (
        all(getattr(one, name) == getattr(recipe, name) for name in DECIDING)
        and samples_per_step(one) == samples_per_step(recipe)
        and bool(one.ema_decay) == bool(recipe.ema_decay)
    )


def _file_bytes(recipe: TrainingRecipe, base: BaseModelEntry, measurements: Sequence[Measurement]) -> int | None:
    if recipe.network == "lokr":  # a part of it does not grow with the rank
        return None
    # What came before knows whether half precision was enough for files of this base, which the catalogue takes for
    # granted.
    for one in measurements:
        if one.bytes_per_rank is not None and _learns_in_the_same(one.recipe, recipe):
            return round(one.bytes_per_rank * recipe.rank)
    if recipe.target_modules not in base.parameters_per_rank:
        return None
    if recipe.train_text_encoder and not base.text_encoder_parameters_per_rank:
        return None
    return trained(recipe, base) * HALF_PRECISION_BYTES


def _learns_in_the_same(one: TrainingRecipe, other: TrainingRecipe) -> bool:
    return all(
        getattr(one, name) == getattr(other, name) for name in ("network", "target_modules", "train_text_encoder")
    )
