"""What a training will take, and where each number comes from. Pure arithmetic: where nothing is known, it says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import BaseModelEntry
from app.trainings.look.needs import samples_per_step, trained
from app.trainings.look.planner import Plan, Shortage
from app.trainings.look.recipe import TrainingRecipe

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


class FirstSteps(BaseModel, defer_build=True):
    """What the first steps of a training measured, once the device was warm."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    steps: int
    """How many were measured."""
    seconds_per_step: float
    seconds_left: float
    """From then on, with samples and checkpoints."""
    seconds: float | None = None
    """In all: those since the training's first start and those left."""
    memory_bytes: int | None
    """Largest while they were taken."""


class Estimate(BaseModel, defer_build=True):
    """Kept with the order, so that the promise can be compared with what came."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float | None
    """None where nothing has been measured: then no time is promised."""
    time_basis: Literal["measured", "calculated", "none"]
    measured_at: datetime | None = None
    device: str | None = None
    memory_bytes: int
    memory_basis: Literal["measured", "calculated", "catalogue"]
    file_bytes: int | None
    cost: Decimal | None
    """None without a price or without a time."""
    cost_range: tuple[Decimal, Decimal] | None = None
    """Of ``seconds_range`` at the same price; None without one of the two."""
    currency: str = "EUR"
    seconds_range: tuple[float, float] | None = None
    """From the device's speed, where nothing alike has been measured but the base's cost is known."""
    memory_range: tuple[int, int] | None = None
    """Round ``memory_bytes`` where it is the plan's prediction."""
    moved_from: Plan | None = None
    """What was planned for the device that the order was made for, where one with less memory took it."""
    fell_back_from: Plan | None = None
    """What was planned first, where the device's memory ran out and the base had to become coarser."""
    shortage: Shortage | None = None
    """How it went on where the memory ran out in a step, to the same result."""
    first_steps: FirstSteps | None = None
    """None before they were taken, and where there are too few steps to measure some first."""
    plan: Plan | None = None
    """How the device's memory is used, and why so; None where the catalogue does not know the base's cost."""


def estimate_for(
    recipe: TrainingRecipe,
    base: BaseModelEntry,
    measurements: Sequence[Measurement],
    *,
    devices: Sequence[str],
    price_per_hour: Decimal | None,
    currency: str,
    plan: Plan | None = None,
) -> Estimate:
    """``measurements``: the newest first. ``devices``: those that would do it now; empty when no worker is there.

    A measurement counts for the same size, adapter and number of pictures in a step only, for a base held and a step
    computed the same way, and for a device that is there: another card's pace says nothing about this one's.
    """
    alike = [one for one in measurements if _is_like(one, recipe, plan) and (not devices or one.device in devices)]
    known = alike[0] if alike else None
    seconds = None if known is None else known.seconds_per_step * recipe.steps + known.other_seconds
    memory = known.peak_memory_bytes if known is not None else None
    seconds_range = None
    if known is None and plan is not None and plan.step_seconds is not None:
        seconds_range = (plan.step_seconds[0] * recipe.steps, plan.step_seconds[1] * recipe.steps)
    return Estimate(
        seconds=seconds,
        time_basis="measured" if known is not None else "calculated" if seconds_range else "none",
        measured_at=known.measured_at if known else None,
        device=known.device if known else None,
        memory_bytes=memory or (plan.memory_bytes if plan is not None else base.training_memory(recipe.quantization)),
        memory_basis="measured" if memory else "calculated" if plan is not None else "catalogue",
        file_bytes=_file_bytes(recipe, base, measurements),
        cost=cost_of(seconds, price_per_hour),
        currency=currency,
        seconds_range=seconds_range,
        cost_range=cost_range_of(seconds_range, price_per_hour),
        memory_range=(plan.memory_low, plan.memory_high) if plan is not None and not memory else None,
        plan=plan,
    )


def is_computed_alike(precision: str | None, plan: Plan | None) -> bool:
    """Whether a measurement's precision is the plan's, as far as both are known: the same card may have trained in
    another one before."""
    return precision is None or plan is None or precision == plan.precision


def _is_like(one: Measurement, recipe: TrainingRecipe, plan: Plan | None) -> bool:
    """Whether it took the same time and memory for a step, as far as the order decides that."""
    return (
        is_computed_alike(one.precision, plan)
        and all(getattr(one.recipe, name) == getattr(recipe, name) for name in DECIDING)
        and samples_per_step(one.recipe) == samples_per_step(recipe)
        and bool(one.recipe.ema_decay) == bool(recipe.ema_decay)
    )


def cost_of(seconds: float | None, price_per_hour: Decimal | None) -> Decimal | None:
    """Price of so much device time, in whole cents."""
    if seconds is None or price_per_hour is None:
        return None
    return (price_per_hour * Decimal(seconds) / 3600).quantize(Decimal("0.01"), ROUND_HALF_UP)


def cost_range_of(
    seconds: tuple[float, float] | None, price_per_hour: Decimal | None
) -> tuple[Decimal, Decimal] | None:
    """The same for the least and the most time."""
    if seconds is None:
        return None
    low, high = (cost_of(one, price_per_hour) for one in seconds)
    return None if low is None or high is None else (low, high)


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
